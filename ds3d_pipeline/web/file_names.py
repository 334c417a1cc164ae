"""What a client calls a file, made the name of a file."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import PurePosixPath

NAME_BYTES = 180
"""File systems allow 255; what ds3d adds to a name has to fit in, too."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_UNSAFE = frozenset('<>:"/|?*')
_SUFFIX_BYTES = 20


def safe_name(name: str, taken: set[str]) -> str:
    """The last component of any text as the name of a file on every system, added to the names in `taken`.

    `taken` holds names as `casefold` makes them: many file systems know no capitals.
    """
    last = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")).name
    shown = "".join(c if c.isprintable() and c not in _UNSAFE else "_" for c in last).strip(" .")
    if _RESERVED.fullmatch(shown) or not shown.rpartition(".")[0].strip(" ."):
        shown = f"file_{shown}"
    stem, suffix = os.path.splitext(shown)
    suffix = _cut(suffix, _SUFFIX_BYTES)
    candidate, number = _cut(stem, NAME_BYTES - _SUFFIX_BYTES) + suffix, 2
    while candidate.casefold() in taken:
        candidate = f"{_cut(stem, NAME_BYTES - 2 * _SUFFIX_BYTES)}-{number}{suffix}"
        number += 1
    taken.add(candidate.casefold())
    return candidate


def _cut(text: str, length: int) -> str:
    """At most so many bytes of UTF-8, whole characters, without a space at the end."""
    return text.encode()[:length].decode(errors="ignore").rstrip(" ")
