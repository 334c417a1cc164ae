"""Depth where there is nothing to match: planes between the consistent depths around areas without texture.

After the planar prior of Xu and Tao (2020, "Planar prior assisted PatchMatch multi-view stereo"): plain areas
are mostly flat. Such depths are guesses, so they get little confidence.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.interpolation import fill_triangles
from ds3d_pipeline.depth.options import PlanarPriorOptions
from ds3d_pipeline.depth.stereo import propagation
from ds3d_pipeline.depth.stereo.levels import Level
from ds3d_pipeline.depth.stereo.patchmatch import Planes
from ds3d_pipeline.scene import Float32, Float64

CELL_PX = 8
"""One consistent pixel of each cell, that of least cost, is a corner of the planes."""


def planar_prior(
    found: Planes, kept: NDArray[np.bool_], level: Level, options: PlanarPriorOptions
) -> tuple[Float32, NDArray[np.bool_]]:
    """Fills areas without texture with planes between consistent points.

    Returns planes (H, W, 3) for pixels without texture that are not `kept`, and which pixels (H, W) got one.
    """
    pixels, inverse = _corners(found, kept)
    height, width = kept.shape
    small = max(1, width * 2 // CELL_PX), max(1, height * 2 // CELL_PX)
    scale = np.array([small[0] / width, small[1] / height])
    limits = (options.max_edge, options.max_depth_ratio)
    coarse, _ = fill_triangles(pixels * scale, inverse, small, *limits)
    planes = np.empty((height, width, 3), np.float32)
    propagation.enlarge(np.ascontiguousarray(coarse[..., [2, 0, 1]], np.float32), planes)
    plain = ~kept & (planes[..., 0] > 0) & _areas(level.textureless)
    planes[~plain] = 0
    cost = np.empty(kept.shape, np.float32)
    propagation.rate(planes, cost, level.without_agreement.images)
    return planes, plain & (cost <= found.cost + options.max_extra_cost)


def _areas(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without single pixels unlike all their neighbours, which occur in texture too."""
    return cv2.morphologyEx(pixels.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0


def _corners(found: Planes, kept: NDArray[np.bool_]) -> tuple[Float64, Float64]:
    """(N, 2) pixels and (N,) inverse depths of the best kept pixel of every cell that has one."""
    height, width = (side // CELL_PX * CELL_PX for side in kept.shape)
    cost = np.where(kept, found.cost, np.inf)[:height, :width]
    cells = cost.reshape(height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX).swapaxes(1, 2)
    flat = cells.reshape(*cells.shape[:2], -1)
    row, column = np.nonzero(np.isfinite(flat.min(axis=2)))
    best = flat.argmin(axis=2)[row, column]
    y, x = row * CELL_PX + best // CELL_PX, column * CELL_PX + best % CELL_PX
    return np.stack([x + 0.5, y + 0.5], axis=1), found.planes[y, x, 0].astype(np.float64)
