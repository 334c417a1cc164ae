"""File names from users: made unique, sorted and safe."""

from __future__ import annotations

import os
import re
import unicodedata

_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
PHOTO_SUFFIXES = frozenset(
    (*_JPEG_SUFFIXES, ".png", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif")
)
VIDEO_SUFFIXES = frozenset((".mp4", ".m4v", ".3gp", ".3g2", ".mov", ".avi", ".mkv", ".webm"))
SLUG_LENGTH = 48


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key that puts `frame9` before `frame10`, whatever the case; folders before what follows them."""
    key: list[tuple[int, str]] = []
    for zeros, digits, text in re.findall(r"(0*)([0-9]*)([^0-9]*)", name.casefold()):
        # Of two numbers the one with more digits is the larger; thousands of digits are too many for an int.
        key += [(len(digits), digits)] if zeros or digits else []
        key += [(-1, text)] if text else []
    return (*key, (-2, name))


def is_hidden(name: str) -> bool:
    """Whether a relative POSIX path names a hidden file, or the forks that macOS puts into archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def printable(name: str) -> str:
    """A file name for JSON and messages: undecodable bytes and control characters replaced."""
    decoded = os.fsencode(name).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in decoded)


def slug(text: str) -> str:
    """A capture's name of at most `SLUG_LENGTH` made from any text; "capture" where nothing remains."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")
    if _is_reserved(cleaned):
        cleaned = f"capture-{cleaned}"
    return cleaned[:SLUG_LENGTH].rstrip("-._") or "capture"


NAME_LENGTH = SLUG_LENGTH + 9
"""Of the longest slug with a hyphen and 8 hex digits."""
NAME_RULE = (
    f"Use 1 to {NAME_LENGTH} of a-z 0-9 . _ - that start and end with a letter or digit, "
    "and no name that Windows reserves, such as con or nul."
)
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?")


def is_name(text: str) -> bool:
    """Whether a text may name a capture: a folder's name on every system (`NAME_RULE`)."""
    return len(text) <= NAME_LENGTH and bool(_NAME.fullmatch(text)) and not _is_reserved(text)


def _is_reserved(name: str) -> bool:
    """Whether it is a device on Windows, whatever comes behind the first dot."""
    return _RESERVED.fullmatch(name) is not None
