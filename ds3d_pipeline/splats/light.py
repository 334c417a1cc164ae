"""The light splat: one flat Gaussian per point, sized by its neighbours, untrained."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from ds3d_pipeline.scene import Float32, Gaussians, PointCloud

SH_C0 = 0.28209479177387814
"""The constant spherical harmonic 1 / (2 sqrt(pi))."""
_OPACITY = 0.9
_FLATNESS = 0.15
"""Thickness of a Gaussian along its normal, as a fraction of its radius."""


def light_splat(points: PointCloud, *, max_gaussians: int, seed: int = 0) -> Gaussians:
    """One Gaussian of degree 0 per point, over a random subset where there are more than `max_gaussians`.

    Points with a normal (any of non-zero length) become discs across it, the others balls.
    Raises ValueError where there is no finite point at all.
    """
    chosen = _subset(points, max_gaussians, seed)
    means = points.points_in_world[chosen].astype(np.float32)
    normals, has_normal = _unit(points.normals[chosen])
    log_radius = np.log(neighbour_radius(means))
    log_scales = np.repeat(log_radius[:, None], 3, axis=1)
    log_scales[has_normal, 2] += np.log(_FLATNESS)
    count = len(means)
    return Gaussians(
        means=means,
        quats_wxyz=quats_from_z_axis(normals),
        log_scales=log_scales.astype(np.float32),
        opacity_logits=np.full(count, np.log(_OPACITY / (1 - _OPACITY)), np.float32),
        sh_coeffs=sh_from_colors(points.colors[chosen])[:, None],
    )


def sh_from_colors(colors: np.ndarray) -> Float32:
    """Coefficients (N, 3) of degree 0 that render as the 8-bit colours (N, 3)."""
    return ((colors.astype(np.float32) / 255 - 0.5) / SH_C0).astype(np.float32)


def neighbour_radius(points: Float32, neighbours: int = 3) -> Float32:
    """(N,) root mean square distance to the nearest neighbours (Kerbl et al. 2023, section 5.1).

    Clipped to a tenth and five times the median, so that no far outlier covers the scene and no duplicate
    vanishes.
    """
    if len(points) == 1:
        return np.full(1, 1e-2, np.float32)
    k = min(neighbours, len(points) - 1) + 1
    distances, _ = KDTree(points).query(points, k=k, workers=-1)
    radius = np.sqrt(np.mean(distances[:, 1:] ** 2, axis=1))
    typical = np.median(radius[radius > 0]) if (radius > 0).any() else 1e-2
    return np.clip(radius, 0.1 * typical, 5 * typical).astype(np.float32)


def quats_from_z_axis(axes: Float32) -> Float32:
    """(N, 4) wxyz rotations that take +z to the unit vectors (N, 3) by the shortest way."""
    w = 1 + axes[:, 2]
    quats = np.stack([w, -axes[:, 1], axes[:, 0], np.zeros_like(w)], axis=1)
    quats[w < 1e-6] = (0, 1, 0, 0)
    return (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32)


def _subset(points: PointCloud, max_gaussians: int, seed: int) -> np.ndarray:
    usable = np.flatnonzero(np.isfinite(points.points_in_world).all(axis=1))
    if len(usable) == 0:
        raise ValueError("a splat needs at least one point")
    if len(usable) <= max_gaussians:
        return usable
    return np.sort(np.random.default_rng(seed).choice(usable, max_gaussians, replace=False))


def _unit(normals: Float32) -> tuple[Float32, np.ndarray]:
    """Unit normals, +z where there is none, and the mask of those that are real."""
    length = np.linalg.norm(normals, axis=1)
    real = np.isfinite(length) & (length > 1e-6)
    unit = np.tile(np.array((0, 0, 1), np.float32), (len(normals), 1))
    unit[real] = normals[real] / length[real, None]
    return unit, real
