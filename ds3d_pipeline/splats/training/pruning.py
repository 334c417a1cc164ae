"""What is left out of a finished splat: Gaussians that show nothing, and those that fled the scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT
from ds3d_pipeline.splats.kernels.projection import HALF_WIDTH, MIN_ALPHA, PROJECTED_SIZE, project
from ds3d_pipeline.splats.training.photos import Photo
from ds3d_pipeline.splats.training.scores import photo_camera

_ROOM = 1.0
"""How far outside the box of points and cameras a Gaussian may be, in sizes of the box."""


def clean(rows: Float32, photos: Sequence[Photo], points: Float32) -> tuple[Float32, dict[str, int]]:
    """Rows without those that are broken, too transparent to draw, outside all photos or far away; counts.

    `points` (P, 3) are what training began from: no surface is known beyond them and the cameras, so what
    is far outside their box is a floater, and so is a Gaussian larger than the box.
    """
    finite = np.isfinite(rows).all(axis=1)
    opaque = rows[:, LOGIT] > np.log(MIN_ALPHA / (1 - MIN_ALPHA))
    near = _near(rows, photos, points)
    seen = np.zeros(len(rows), bool)
    projected = np.empty((len(rows), PROJECTED_SIZE), np.float32)
    for photo in photos:
        project(rows, photo_camera(photo), 0, projected)
        seen |= projected[:, HALF_WIDTH] > 0
    removed, left = {}, np.ones(len(rows), bool)
    for reason, good in (("not_finite", finite), ("transparent", opaque), ("unseen", seen), ("far", near)):
        removed[reason] = int((left & ~good).sum())
        left &= good
    return rows[left], removed


def _near(rows: Float32, photos: Sequence[Photo], points: Float32) -> np.ndarray:
    centres = [photo.centre_in_world for photo in photos]
    known = np.concatenate([points, np.array(centres, np.float32).reshape(-1, 3)])
    low, high = known.min(axis=0), known.max(axis=0)
    size = float((high - low).max())
    inside = (rows[:, :3] > low - _ROOM * size) & (rows[:, :3] < high + _ROOM * size)
    return inside.all(axis=1) & (rows[:, LOG_SCALE:LOGIT].max(axis=1) < np.log(max(size, 1e-12)))
