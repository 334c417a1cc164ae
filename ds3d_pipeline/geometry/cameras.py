"""The pinhole camera: camera frame +x right, +y down, +z forward; the first pixel's centre is (0.5, 0.5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ds3d_pipeline.geometry.transforms import transform_points
from ds3d_pipeline.scene import Float64


def project(K: ArrayLike, cam_from_world: ArrayLike, points_in_world: ArrayLike) -> tuple[Float64, Float64]:
    """Pixel coordinates (..., 2) and depths (...,) of world points (..., 3).

    Depth is z in the camera frame; where it is not positive the pixel is NaN.
    """
    matrix, points_in_cam = _intrinsics(K), transform_points(cam_from_world, points_in_world)
    depth = points_in_cam[..., 2]
    safe_depth = np.where(depth > 0, depth, np.nan)[..., None]
    uv = (points_in_cam / safe_depth) @ matrix[:2].T
    return uv, depth


def rays(K: ArrayLike, size_wh: tuple[int, int]) -> Float64:
    """(H, W, 3) directions through the pixel centres in the camera frame, with z = 1."""
    cam_from_pixels = np.linalg.inv(_intrinsics(K))
    width, height = size_wh
    v, u = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    return np.stack([u, v, np.ones_like(u)], axis=-1) @ cam_from_pixels.T


def unproject_depth(K: ArrayLike, depth: ArrayLike) -> Float64:
    """(H, W, 3) points in the camera frame of a depth map (H, W); zeros where the depth is 0."""
    depth = np.asarray(depth, dtype=np.float64)
    if depth.ndim != 2:
        raise ValueError(f"a depth map must have shape (H, W), got {depth.shape}")
    return rays(K, (depth.shape[1], depth.shape[0])) * depth[..., None]


def K_scaled(K: ArrayLike, scale_xy: ArrayLike) -> Float64:
    """(3, 3) intrinsics of the image resized by `scale_xy` (one number, or new size / old size in x and y).

    With pixel centres at half integers this is a pure scaling, offset free.
    """
    scale_x, scale_y = np.broadcast_to(np.asarray(scale_xy, dtype=np.float64), (2,))
    return np.diag([scale_x, scale_y, 1.0]) @ _intrinsics(K)


def intrinsics(focal_px: float, size_wh: tuple[int, int]) -> Float64:
    """(3, 3) K of square pixels with the principal point in the middle of the image."""
    return np.array([[focal_px, 0, size_wh[0] / 2], [0, focal_px, size_wh[1] / 2], [0, 0, 1.0]])


def _intrinsics(K: ArrayLike) -> Float64:
    matrix = np.asarray(K, dtype=np.float64)
    if matrix.shape != (3, 3):
        raise ValueError(f"K must have shape (3, 3), got {matrix.shape}")
    return matrix
