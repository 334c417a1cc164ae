"""Which views each view is matched with."""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.scene import Float64, Int32, Reconstruction

BEST_ANGLE_DEG = 6.0
NARROW_DEG = 2.0
WIDE_DEG = 12.0
"""Scores fall off from the best triangulation angle by Gaussians of these widths below and above it."""
MIN_SHARED = 8


def source_views(model: Reconstruction, count: int) -> list[Int32]:
    """For each view the indices of up to `count` source views, best first.

    The score sums, over the points that both views observe, how good their triangulation angle is (Yao et
    al. 2018, section 4.1). Views with fewer than 8 points in common are never chosen.
    """
    seen = np.zeros((len(model.views), len(model.points_in_world)), bool)
    for index, view in enumerate(model.views):
        seen[index, view.point_ids] = True
    centres = np.array([view.centre_in_world for view in model.views])
    return [_sources(index, seen, centres, model.points_in_world)[:count] for index in range(len(seen))]


def _sources(index: int, seen: np.ndarray, centres: Float64, points: Float64) -> Int32:
    ids = np.flatnonzero(seen[index])
    rays = points[ids] - centres[:, None]
    rays /= np.maximum(np.linalg.norm(rays, axis=2, keepdims=True), 1e-12)
    cosine = np.clip((rays * rays[index]).sum(axis=2), -1, 1)
    shared = seen[:, ids]
    scores = (_angle_score(np.degrees(np.arccos(cosine))) * shared).sum(axis=1)
    scores[shared.sum(axis=1) < MIN_SHARED] = 0
    scores[index] = 0
    order = np.argsort(-scores, kind="stable")
    return order[scores[order] > 0].astype(np.int32)


def _angle_score(angle_deg: Float64) -> Float64:
    width = np.where(angle_deg < BEST_ANGLE_DEG, NARROW_DEG, WIDE_DEG)
    return np.exp(-((angle_deg - BEST_ANGLE_DEG) ** 2) / (2 * width**2))
