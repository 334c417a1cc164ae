"""File names from users: made unique, sorted and safe."""

from __future__ import annotations

import os
import re
import unicodedata

PHOTO_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif"))
VIDEO_SUFFIXES = frozenset((".mp4", ".mov", ".avi", ".mkv", ".webm"))
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
    """`[a-z0-9._-]{1,48}` that starts and ends with a letter or digit; "capture" where nothing remains."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")
    return cleaned[:SLUG_LENGTH].rstrip("-._") or "capture"
