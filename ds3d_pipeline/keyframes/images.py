"""Small tools on pictures: size, gray, JPEG, and work on several at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image

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
    threads = min(_MAX_THREADS, os.cpu_count() or 1)
    pending: deque[Future[ResultT]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
