"""Points for what the photos show and no point cloud reaches: sky, far houses, blank walls.

Without them training explains such places by whatever Gaussians are at hand, which hang as floaters before
the nearest surface and fall apart in every other view. The true depth is unknown there; far is the safe
guess, as what is far moves least from view to view.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ds3d_pipeline.scene import Float32, PointCloud
from ds3d_pipeline.splats.inputs import Photo
from ds3d_pipeline.splats.projection import NEAR

_CELLS = 48
"""Cells along a photo's longer side; a cell with no point in it or beside it is empty."""
_PER_CELL = 2
"""Points along each side of an empty cell."""
_FAR = 0.99
"""Quantile of a photo's depths that counts as far; all are filled at the farthest of these."""


def backdrop(points: PointCloud, photos: Sequence[Photo], max_points: int, seed: int = 0) -> PointCloud:
    """At most `max_points` points without normals, coloured from the photos whose empty places they fill."""
    found = [np.zeros((0, 3), np.float32)]
    colors = [np.zeros((0, 3), np.uint8)]
    depth = max((_far_depth(points.points_in_world, photo) for photo in photos), default=0.0)
    for photo in photos:
        pixels = _empty_places(np.concatenate([points.points_in_world, *found]), photo)
        found.append(_lifted(pixels, depth, photo))
        colors.append(photo.pixels[pixels[:, 1].astype(int), pixels[:, 0].astype(int)])
    means, rgb = np.concatenate(found), np.concatenate(colors)
    if len(means) > max_points:
        chosen = np.sort(np.random.default_rng(seed).choice(len(means), max_points, replace=False))
        means, rgb = means[chosen], rgb[chosen]
    return PointCloud(points_in_world=means, normals=np.zeros_like(means), colors=rgb)


def _seen(points: Float32, photo: Photo) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (M, 2) and depths (M,) of the points that lie in the photo."""
    height, width = photo.pixels.shape[:2]
    in_camera = points @ photo.cam_from_world[:3, :3].T + photo.cam_from_world[:3, 3]
    in_camera = in_camera[in_camera[:, 2] > NEAR]
    pixels = in_camera[:, :2] / in_camera[:, 2:] @ photo.K[:2, :2].T + photo.K[:2, 2]
    inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=1)
    return pixels[inside], in_camera[inside, 2]


def _far_depth(points: Float32, photo: Photo) -> float:
    _, depths = _seen(points, photo)
    return float(np.quantile(depths, _FAR)) if len(depths) else 0.0


def _empty_places(points: Float32, photo: Photo) -> Float32:
    """Pixels (M, 2) spread over the photo's empty cells; none where it sees no point at all."""
    height, width = photo.pixels.shape[:2]
    cell = max(width, height) / _CELLS
    seen, _ = _seen(points, photo)
    if not len(seen):
        return np.zeros((0, 2), np.float32)
    covered = np.zeros((int(np.ceil(height / cell)), int(np.ceil(width / cell))), np.uint8)
    column, row = (seen / cell).astype(int).T
    covered[row, column] = 1
    empty = np.argwhere(cv2.dilate(covered, np.ones((3, 3), np.uint8)) == 0)
    steps = (np.stack(np.meshgrid(*2 * [np.arange(_PER_CELL)]), axis=-1).reshape(-1, 2) + 0.5) / _PER_CELL
    pixels = ((empty[:, None, ::-1] + steps) * cell).reshape(-1, 2).astype(np.float32)
    usable = (pixels[:, 0] < width) & (pixels[:, 1] < height)
    if photo.mask is not None:
        x, y = np.minimum(pixels, [width - 1, height - 1]).astype(int).T
        usable &= photo.mask[y, x] > 0
    return pixels[usable]


def _lifted(pixels: Float32, depth: float, photo: Photo) -> Float32:
    """(M, 3) where the pixels' rays are `depth` in front of the camera, world frame."""
    rays = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1) @ np.linalg.inv(photo.K).T
    in_camera = rays * depth
    R, t = photo.cam_from_world[:3, :3], photo.cam_from_world[:3, 3]
    return ((in_camera - t) @ R).astype(np.float32)
