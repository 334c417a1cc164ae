"""Photos from disk."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.scene import UInt8


def read_rgb(path: Path) -> UInt8:
    """(H, W, 3) RGB as it stands in the file. Raises StageError naming the file where it is no picture."""
    data = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = cv2.imdecode(data, flags) if data.size else None
    if bgr is None:
        raise StageError(f"{path} is missing or no picture.", "Run the poses stage again.")
    return np.ascontiguousarray(bgr[:, :, ::-1]).astype(np.uint8, copy=False)
