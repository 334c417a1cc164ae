"""The one reader of the pipeline's own pictures, and small ones to show.

What users bring is read by `capture.photos`, which trusts nothing; all pictures after that are ours, without
an orientation of their own, and one that cannot be read was lost or damaged on disk.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.scene import UInt8

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
JPEG_QUALITY = 95
_QUALITIES = (85, 75, 65, 50, 35, 20)
_MAX_THREADS = 8
"""Each holds a full-size picture; decoding and encoding gain little beyond."""


def shrunk(image: UInt8, max_side_px: int) -> UInt8:
    """(H, W) or (H, W, 3) scaled so that its longer side is at most `max_side_px`; never enlarged."""
    height, width = image.shape[:2]
    scale = max_side_px / max(width, height)
    if scale >= 1:
        return image
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def gray_of(rgb: UInt8) -> UInt8:
    """(H, W) luma (ITU-R BT.601) of (H, W, 3)."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def write_jpeg(path: Path, rgb: UInt8) -> None:
    """Quality 95 without chroma subsampling, so that colour edges stay where they are."""
    Image.fromarray(rgb).save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def map_in_threads(function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
    """`map` on a few threads: results in order, only a few items alive at a time."""
    threads = min(_MAX_THREADS, allowed_cpus())
    pending: deque[Future[ResultT]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def unreadable(path: Path) -> StageError:
    """What to raise for a picture of ours that cannot be read."""
    return StageError(
        f"The image {path} is missing or damaged.",
        "Run the same command again; the image is then made again.",
    )


def read_rgb(path: Path, *, size_wh: tuple[int, int] | None = None, max_side_px: int | None = None) -> UInt8:
    """(H, W, 3) RGB as it is in the file, or made `size_wh`, or shrunk to `max_side_px` (area averages).

    Raises StageError naming the file if it is missing or not an image.
    """
    return _sized(_read(path, cv2.IMREAD_COLOR)[:, :, ::-1], size_wh, max_side_px)


def read_gray(path: Path, *, max_side_px: int | None = None) -> UInt8:
    """(H, W) luma as it is in the file, or shrunk to `max_side_px`. Raises StageError as `read_rgb`."""
    return _sized(_read(path, cv2.IMREAD_GRAYSCALE), None, max_side_px)


def decode_rgb(data: bytes | UInt8) -> UInt8 | None:
    """(H, W, 3) RGB of an encoded picture; None where it is none."""
    bgr = _decoded(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else np.ascontiguousarray(bgr[:, :, ::-1])


def read_size_wh(path: Path) -> tuple[int, int]:
    """Width and height from the file's header. Raises StageError as `read_rgb`."""
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise unreadable(path) from error


def read_thumbnail(path: Path, box_wh: tuple[int, int]) -> Image.Image:
    """RGB, shrunk to fit into the box where it does not. Raises StageError as `read_rgb`."""
    try:
        with Image.open(path) as image:
            image.thumbnail(box_wh)
            return image.convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise unreadable(path) from error


def _read(path: Path, flags: int) -> UInt8:
    data = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    pixels = _decoded(data, flags)
    if pixels is None:
        raise unreadable(path)
    return pixels


def _decoded(data: UInt8, flags: int) -> UInt8 | None:
    """Pixels in OpenCV's order; None where they cannot be decoded."""
    try:
        pixels = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION) if data.size else None
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _sized(pixels: UInt8, size_wh: tuple[int, int] | None, max_side_px: int | None) -> UInt8:
    if size_wh is not None and pixels.shape[1::-1] != size_wh:
        pixels = np.asarray(cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(pixels if max_side_px is None else shrunk(pixels, max_side_px))


def small_jpeg(image: Image.Image, max_bytes: int) -> bytes:
    """The best quality that keeps `max_bytes`; half the size where none does."""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= max_bytes:
            return buffer.getvalue()
    return small_jpeg(image.reduce(2), max_bytes)
