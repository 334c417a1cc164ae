"""Depth between sparse points: planes over the Delaunay triangles of the points that a view observes."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import Delaunay, QhullError

from ds3d_pipeline.geometry.cameras import K_scaled, project
from ds3d_pipeline.scene import UNCERTAIN_CONFIDENCE, DepthMap, Float32, Float64, Reconstruction, View

MAX_ERROR_PX = 2.0
MAX_EDGE = 0.25
"""Longest triangle side, as a fraction of the image diagonal."""
MAX_DEPTH_RATIO = 1.4
"""Triangles whose corners differ more in depth span two surfaces."""
MAX_CONFIDENCE = 0.5
TRUST_RADIUS = 0.03
"""Distance from a point, as a fraction of the diagonal, at which confidence falls to 1/e."""
LEAST_CONFIDENCE = 2 * UNCERTAIN_CONFIDENCE


def interpolate_view(view: View, model: Reconstruction, max_side_px: int) -> DepthMap:
    """The depth map of one view; all zero where fewer than three points are seen."""
    width, height = view.image_size_wh
    scale = min(1.0, max_side_px / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    K = K_scaled(view.K, (size[0] / width, size[1] / height))
    ids = view.point_ids[model.errors_px[view.point_ids] <= MAX_ERROR_PX]
    pixels, depth = project(K, view.cam_from_world, model.points_in_world[ids])
    seen = depth > 0
    inverse, confidence = fill_triangles(pixels[seen], 1 / depth[seen], size)
    found = inverse[..., 2] > 0
    normals = normals_of_planes(inverse, K) * found[..., None]
    z = np.divide(1.0, inverse[..., 2], out=np.zeros(found.shape), where=found)
    return DepthMap(
        image=view.image,
        depth=z.astype(np.float32),
        normals=normals.astype(np.float32),
        confidence=(np.maximum(confidence, LEAST_CONFIDENCE) * found).astype(np.float32),
        K=K,
    )


def fill_triangles(
    pixels: Float64,
    inverse_depth: Float64,
    size_wh: tuple[int, int],
    max_edge: float = MAX_EDGE,
    max_depth_ratio: float = MAX_DEPTH_RATIO,
) -> tuple[Float64, Float32]:
    """Planes in inverse depth, which is affine in the image for every plane in space.

    Takes (N, 2) pixels and (N,) inverse depths; returns (H, W, 3) slope along x, slope along y and
    inverse depth (0 outside), and (H, W) confidence.
    """
    width, height = size_wh
    planes = np.zeros((height, width, 3))
    confidence = np.zeros((height, width), np.float32)
    try:
        triangles = Delaunay(pixels)
    except (QhullError, ValueError):
        return planes, confidence
    corners = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)[triangles.simplices]
    longest = max_edge * np.hypot(width, height)
    good = _keep(corners[..., :2], inverse_depth[triangles.simplices], longest, max_depth_ratio)
    coefficients = np.zeros((len(corners), 3))
    values = inverse_depth[triangles.simplices][good]
    coefficients[good] = np.linalg.solve(corners[good], values[..., None])[..., 0]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    index = triangles.find_simplex(np.stack([x, y], axis=-1))
    inside = (index >= 0) & good[index]
    a, b, c = np.moveaxis(coefficients[index], -1, 0)
    planes[inside] = np.stack([a, b, a * x + b * y + c], axis=-1)[inside]
    return planes, _trust(pixels, size_wh)


def _keep(corners: Float64, inverse_depth: Float64, longest: float, max_ratio: float) -> np.ndarray:
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    ratio = inverse_depth.max(axis=1) / inverse_depth.min(axis=1)
    return (edges <= longest) & (ratio <= max_ratio) & (area > 1e-3)


def _trust(pixels: Float64, size_wh: tuple[int, int]) -> Float32:
    width, height = size_wh
    empty = np.ones((height, width), np.uint8)
    column = np.clip(pixels[:, 0].astype(int), 0, width - 1)
    row = np.clip(pixels[:, 1].astype(int), 0, height - 1)
    empty[row, column] = 0
    distance = cv2.distanceTransform(empty, cv2.DIST_L2, 5)
    return (MAX_CONFIDENCE * np.exp(-distance / (TRUST_RADIUS * np.hypot(width, height)))).astype(np.float32)


def normals_of_planes(planes: Float64, K: Float64) -> Float64:
    """(H, W, 3) unit normals towards the camera of planes as `fill_triangles` gives them; 0 where all is 0.

    From 1/z = a u + b v + c follows n . X = 1 with n = K^T (a, b, c); the unit normal looks back.
    """
    height, width = planes.shape[:2]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    a, b, inverse = np.moveaxis(planes, -1, 0)
    n = np.stack([a, b, inverse - a * x - b * y], axis=-1) @ K
    length = np.linalg.norm(n, axis=-1, keepdims=True)
    return -np.divide(n, length, out=np.zeros_like(n), where=length > 0)
