"""Photos from disk, and small ones to show."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.scene import UInt8

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
