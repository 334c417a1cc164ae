"""ds3d: one short phone video or a set of photos into 3D, on the user's own machine."""

import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ds3d_pipeline.api import Capture, Progress, ReconstructionFailed, open_capture, reconstruct
    from ds3d_pipeline.errors import InputError

__version__ = "0.1.0"
"""The one place where the version is written; pyproject.toml reads it from here."""

__all__ = ["Capture", "InputError", "Progress", "ReconstructionFailed", "open_capture", "reconstruct"]

# pycolmap's wheel exports a zlib of its own. Whoever deflates for the first time after it is loaded (numba
# does to compile) calls now one, now the other, and aborts; a call beforehand binds the right one.
zlib.decompress(zlib.compress(b""))


def __getattr__(name: str) -> Any:
    """The names of `api`, imported when one is first asked for: the command line has no time for it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ds3d_pipeline import api

    return getattr(api, name)
