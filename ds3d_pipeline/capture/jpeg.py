"""Whether a JPEG holds all the pixels that its header promises (ITU-T T.81).

A file that broke off and was closed by an end marker, or whose header names a larger size, opens without an
error: the decoder fills what is missing with grey.
"""

from __future__ import annotations

import hashlib
import io

from PIL import Image

MOST_PIXELS = 178_000_000
"""They take 1.6 GB while they are decoded, turned and converted."""
_END = b"\xff\xd9"
_DEFINE_RESTARTS = b"\xff\xdd"
_MORE = bytes(range(1, 240))
"""Coded data for whatever pixels are missing."""
_RESTARTED = tuple(bytes((0xFF, 0xD0 + number)) + _MORE for number in range(8))
"""The same where a restart marker is due."""
_MISSING = 128
"""Of a block without coefficients, in the luma."""
_BLOCK, _BAND = 8, 256


def size_as_read(size_wh: tuple[int, int]) -> tuple[int, int]:
    """Width and height at which a photo of this size is decoded; only JPEGs may be larger than that."""
    width, height = size_wh
    return size_wh if width * height <= MOST_PIXELS else ((width + 1) // 2, (height + 1) // 2)


def end_of(data: bytes) -> int:
    """Where the end marker of the first picture is; -1 without one.

    Thumbnails, which have end markers too, come before the scan; inside it FF is always stuffed.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        is_fill = data[at + 1] == 0xFF
        at += 1 if is_fill else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data.find(_END, at)


def is_progressive(image: Image.Image) -> bool:
    """Whether each scan refines the whole picture; otherwise blocks come one after the other."""
    return bool(image.info.get("progressive"))


def ends_early(data: bytes) -> bool:
    """Whether coded data for the last pixels is missing before the end marker, which there must be.

    Then the decoder takes what is put before that marker, and the picture changes; where all pixels are
    there, it is ignored. This is only tried where it can be: a last block without coefficients is missing or
    of one medium grey. Raises what Pillow raises on damaged files.
    """
    with _opened(data) as image:
        if image.mode in ("L", "RGB") and not is_progressive(image) and _last_luma(image) != _MISSING:
            return False
    end = end_of(data)
    while data[end - 1] == 0xFF:
        end -= 1
    tries = (_MORE, *(_RESTARTED if _DEFINE_RESTARTS in data[:end] else ()))
    as_it_is = _digest(data)
    return any(_digest(data[:end] + more + data[end:]) != as_it_is for more in tries)


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=("JPEG",))


def _last_luma(image: Image.Image) -> int:
    _shrink(image)
    return image.tobytes()[-1]


def _shrink(image: Image.Image) -> None:
    """One luma pixel a block: nothing but the coded data is read in full."""
    image.draft("L", (image.width // _BLOCK, image.height // _BLOCK))


def _digest(data: bytes) -> str:
    """Of the decoded pixels; of a progressive file at full size, since its last scans are fine detail."""
    with _opened(data) as image:
        if not is_progressive(image):
            _shrink(image)
        elif size_as_read(image.size) != image.size:
            image.draft(None, (image.width // 2, image.height // 2))
        digest = hashlib.sha256()
        for top in range(0, image.height, _BAND):
            digest.update(image.crop((0, top, image.width, top + _BAND)).tobytes())
        return digest.hexdigest()
