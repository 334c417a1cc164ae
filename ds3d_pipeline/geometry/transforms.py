"""Rotations and rigid transforms as plain float64 arrays, named `target_from_source`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ds3d_pipeline.scene import Float64


def rotation_from_quat_wxyz(quat_wxyz: ArrayLike) -> Float64:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), scalar first; any non-zero length will do.

    Raises ValueError for another shape or a quaternion of length zero.
    """
    quat = np.asarray(quat_wxyz, dtype=np.float64)
    if quat.ndim == 0 or quat.shape[-1] != 4:
        raise ValueError(f"quaternions must have shape (..., 4), got {quat.shape}")
    norm = np.linalg.norm(quat, axis=-1, keepdims=True)
    if not np.all(norm > 0):
        raise ValueError("a quaternion of length zero, or not a number, has no rotation")
    w, x, y, z = np.moveaxis(quat / norm, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quat_wxyz_from_rotation(rotation: ArrayLike) -> Float64:
    """Unit quaternions (..., 4), scalar first and not negative, of rotation matrices (..., 3, 3).

    Takes the candidate with the largest divisor, so half turns lose no digits (Shepperd 1978).
    Raises ValueError for another shape.
    """
    R = _rotations(rotation)
    m00, m11, m22 = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    yz, zx, xy = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    xy_sum, zx_sum, yz_sum = (
        R[..., 1, 0] + R[..., 0, 1],
        R[..., 0, 2] + R[..., 2, 0],
        R[..., 2, 1] + R[..., 1, 2],
    )
    # Row i is four times component i of the quaternion, times the quaternion.
    rows = [
        [1 + m00 + m11 + m22, yz, zx, xy],
        [yz, 1 + m00 - m11 - m22, xy_sum, zx_sum],
        [zx, xy_sum, 1 - m00 + m11 - m22, yz_sum],
        [xy, zx_sum, yz_sum, 1 - m00 - m11 + m22],
    ]
    candidates = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    best = np.argmax(np.diagonal(candidates, axis1=-2, axis2=-1), axis=-1)
    quat = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    unit: Float64 = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.where(unit[..., :1] < 0, -unit, unit)


def rigid(rotation: ArrayLike, translation: ArrayLike) -> Float64:
    """The (..., 4, 4) transform x -> rotation @ x + translation; raises ValueError for other shapes."""
    R, t = _rotations(rotation), np.asarray(translation, dtype=np.float64)
    if t.ndim == 0 or t.shape[-1] != 3:
        raise ValueError(f"translations must have shape (..., 3), got {t.shape}")
    transform = np.zeros((*np.broadcast_shapes(R.shape[:-2], t.shape[:-1]), 4, 4))
    transform[..., :3, :3] = R
    transform[..., :3, 3] = t
    transform[..., 3, 3] = 1
    return transform


def invert_rigid(target_from_source: ArrayLike) -> Float64:
    """`source_from_target` of rigid transforms (..., 4, 4), without a general inverse."""
    transform = _transforms(target_from_source)
    inverse_rotation = np.swapaxes(transform[..., :3, :3], -1, -2)
    return rigid(inverse_rotation, -(inverse_rotation @ transform[..., :3, 3:])[..., 0])


def transform_points(target_from_source: ArrayLike, points: ArrayLike) -> Float64:
    """Points (..., 3) moved by one affine (4, 4) transform; raises ValueError for other shapes."""
    transform, source = _transforms(target_from_source), np.asarray(points, dtype=np.float64)
    if transform.ndim != 2:
        raise ValueError(f"expected one (4, 4) transform, got {transform.shape}")
    if source.ndim == 0 or source.shape[-1] != 3:
        raise ValueError(f"points must have shape (..., 3), got {source.shape}")
    return source @ transform[:3, :3].T + transform[:3, 3]


def rotation_angle_deg(rotation: ArrayLike) -> Float64:
    """The angles (...,) in degrees, 0 to 180, by which rotations (..., 3, 3) turn.

    Uses both sine and cosine: the arc cosine of the trace alone has no digits left near 0 and 180 degrees.
    """
    quat = quat_wxyz_from_rotation(rotation)
    return np.degrees(2 * np.arctan2(np.linalg.norm(quat[..., 1:], axis=-1), quat[..., 0]))


def rotation_from_axis_angle_deg(axis: ArrayLike, angle_deg: ArrayLike) -> Float64:
    """Rotation matrices (..., 3, 3) about axes (..., 3) of any length by angles (...,) in degrees."""
    axis = np.asarray(axis, dtype=np.float64)
    half = np.radians(np.asarray(angle_deg, dtype=np.float64))[..., None] / 2
    unit = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    cosine = np.broadcast_to(np.cos(half), (*np.broadcast_shapes(half.shape[:-1], unit.shape[:-1]), 1))
    return rotation_from_quat_wxyz(np.concatenate([cosine, np.sin(half) * unit], axis=-1))


def _rotations(rotation: ArrayLike) -> Float64:
    R = np.asarray(rotation, dtype=np.float64)
    if R.ndim < 2 or R.shape[-2:] != (3, 3):
        raise ValueError(f"rotations must have shape (..., 3, 3), got {R.shape}")
    return R


def _transforms(transform: ArrayLike) -> Float64:
    matrix = np.asarray(transform, dtype=np.float64)
    if matrix.ndim < 2 or matrix.shape[-2:] != (4, 4):
        raise ValueError(f"transforms must have shape (..., 4, 4), got {matrix.shape}")
    return matrix
