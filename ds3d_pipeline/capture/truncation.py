"""Whether the end of a video file is missing, by its outer structure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_HEAD = 4096
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
"""What an MP4 or MOV may begin with (ISO/IEC 14496-12)."""


def breaks_off(path: Path) -> bool:
    """Whether a file begins as a video, or holds nothing so far, and its end is or may be missing.

    Programs that copy may reserve the whole file first, so that it is zeros where nothing is written yet.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        size = os.fstat(file.fileno()).st_size
        if head[4:8] in _BOXES:
            return not _has_all_boxes(file, size)
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8 > size
    if head.startswith(_EBML):
        end = _segment_end(head)
        return end is None or end > size
    return not any(head)


def _has_all_boxes(file: BinaryIO, size: int) -> bool:
    """Whether the boxes at the top fill the file exactly and the index `moov` is among them."""
    at, kinds = 0, set[bytes]()
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        kinds.add(header[4:8])
        at = size if length == 0 else at + max(length, 8)
    return at == size and b"moov" in kinds


def _segment_end(head: bytes) -> int | None:
    """Where the segment of a Matroska file ends (RFC 8794, RFC 9559); None where it does not say."""
    length, at = _variable_size(head, len(_EBML))
    at += length or 0
    if length is None or head[at : at + 4] != _SEGMENT:
        return None
    length, at = _variable_size(head, at + 4)
    return None if length is None else at + length


def _variable_size(data: bytes, at: int) -> tuple[int | None, int]:
    """A size and where it ends; None for one that is unknown: all bits set."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length()
    bits = 7 * width
    value = int.from_bytes(data[at : at + width], "big") & ((1 << bits) - 1)
    known = first != 0 and at + width <= len(data) and value != (1 << bits) - 1
    return (value if known else None), at + width
