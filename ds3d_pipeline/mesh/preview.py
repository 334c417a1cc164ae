"""A small picture of the mesh as some of its cameras see it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.geometry.cameras import K_scaled
from ds3d_pipeline.mesh.render import render
from ds3d_pipeline.scene import Mesh, UInt8, View

MAX_BYTES = 50_000
QUALITIES = (88, 80, 70, 60, 50, 40, 30, 20, 10)
HEIGHT_PX = 320


def write_preview(path: Path, mesh: Mesh, views: Sequence[View]) -> None:
    """Writes the mesh seen from the first, middle and last camera, side by side, as a JPEG under 50 kB."""
    chosen = sorted({0, len(views) // 2, len(views) - 1})
    strip = np.concatenate([render_small(mesh, views[index]) for index in chosen], axis=1)
    path.write_bytes(_small_jpeg(strip))


def render_small(mesh: Mesh, view: View, height_px: int = HEIGHT_PX) -> UInt8:
    """(height_px, W, 3) RGB of the mesh from a registered camera."""
    width, height = view.image_size_wh
    size_wh = (max(1, round(width * height_px / height)), height_px)
    K = K_scaled(view.K, [size_wh[0] / width, size_wh[1] / height])
    return render(mesh, K, view.cam_from_world, size_wh)


def _small_jpeg(rgb: UInt8) -> bytes:
    for quality in QUALITIES:
        _, data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) < MAX_BYTES:
            break
    return data.tobytes()
