"""ds3d: one short phone video or a set of photos into 3D, on the user's own machine."""

import zlib

__version__ = "0.1.0"
"""The one place where the version is written; pyproject.toml reads it from here."""

# pycolmap's wheel exports a zlib of its own. Whoever deflates for the first time after it is loaded (numba
# does to compile) calls now one, now the other, and aborts; a call beforehand binds the right one.
zlib.decompress(zlib.compress(b""))
