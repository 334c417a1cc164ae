"""A small picture of some depth maps and normals beside their photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.scene import DepthMap, UInt8

PREVIEWS = 4
"""Most maps that are shown."""
MAX_BYTES = 50_000
COLUMN_PX = 200


def write_preview(maps: Sequence[DepthMap], images: Path, path: Path) -> None:
    """Photos above, then depth (near is bright) and normals, as a JPEG of at most 50 kB."""
    columns = [np.vstack([_photo(images / m.image, m), _colorize(m), _normal_colors(m)]) for m in maps]
    height = min(column.shape[0] for column in columns)
    sheet = np.hstack([column[:height] for column in columns])
    for quality in range(85, 5, -10):
        _, data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if data.size <= MAX_BYTES:
            break
    path.write_bytes(data.tobytes())


def _size(depth: DepthMap) -> tuple[int, int]:
    height, width = depth.depth.shape
    return COLUMN_PX, max(1, round(COLUMN_PX * height / width))


def _photo(path: Path, depth: DepthMap) -> UInt8:
    """BGR, as OpenCV writes it."""
    return read_rgb(path, size_wh=_size(depth))[:, :, ::-1]


def _colorize(depth: DepthMap) -> UInt8:
    known = depth.depth > 0
    inverse = np.divide(1.0, depth.depth, out=np.zeros_like(depth.depth), where=known)
    low, high = np.percentile(inverse[known], [2, 98]) if known.any() else (0.0, 1.0)
    grey = np.clip((inverse - low) / max(high - low, 1e-9), 0, 1)
    bgr = cv2.applyColorMap((255 * grey).astype(np.uint8), cv2.COLORMAP_TURBO)
    bgr[~known] = 0
    return cv2.resize(bgr, _size(depth), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _normal_colors(depth: DepthMap) -> UInt8:
    """Right is red, up is green, towards the camera is blue."""
    known = (depth.depth > 0)[..., None]
    rgb = np.where(known, 127.5 + 127.5 * depth.normals * [1, -1, -1], 0)
    bgr = np.ascontiguousarray(rgb[..., ::-1].round().astype(np.uint8))
    return cv2.resize(bgr, _size(depth), interpolation=cv2.INTER_AREA).astype(np.uint8)
