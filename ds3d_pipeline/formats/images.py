"""Photos from disk, and small ones to show."""

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


_QUALITIES = (85, 75, 65, 50, 35, 20)


def read_rgb(path: Path) -> UInt8:
    """(H, W, 3) RGB as it stands in the file. Raises StageError naming the file where it is no picture."""
    data = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = cv2.imdecode(data, flags) if data.size else None
    if bgr is None:
        raise StageError(f"{path} is missing or no picture.", "Run the poses stage again.")
    return np.ascontiguousarray(bgr[:, :, ::-1]).astype(np.uint8, copy=False)


def small_jpeg(image: Image.Image, max_bytes: int) -> bytes:
    """The best quality that keeps `max_bytes`; half the size where none does."""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= max_bytes:
            return buffer.getvalue()
    return small_jpeg(image.reduce(2), max_bytes)


def read_image(path: Path, size_wh: tuple[int, int]) -> UInt8:
    """(H, W, 3) RGB at a given size. Raises StageError where the file is missing or no picture."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if bgr is None:
        raise StageError(f"{path} is missing or no picture.", "Run the poses stage again.")
    if bgr.shape[1::-1] != size_wh:
        bgr = cv2.resize(bgr, size_wh, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(bgr[:, :, ::-1]).astype(np.uint8, copy=False)


def read_gray(path: Path) -> UInt8:
    """(H, W) luminance of an image file."""
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if gray is None:
        raise StageError(f"The keyframe {path.name} is missing or damaged.", "Run the keyframes stage again.")
    return np.asarray(gray, np.uint8)
