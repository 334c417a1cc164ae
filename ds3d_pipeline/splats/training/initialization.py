"""The splat that training begins with, whatever it trains on."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
from scipy.spatial import KDTree

from ds3d_pipeline.pointcloud.cleaning import select
from ds3d_pipeline.scene import Float32, Gaussians, PointCloud, Reconstruction
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT
from ds3d_pipeline.splats.light import light_splat
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.splats.training.photos import sparse_points

_USUAL_GAUSSIANS, _USUAL_STEPS, _USUAL_S = 60_000, 3000, 180.0
"""More Gaussians than this do not settle within so many steps, nor within so many seconds on two cores: for
fountain-P11, 90,000 score 23.9 dB on held-out photos and 60,000 score 26.6 dB."""
_LONG_GROWTH = 0.6
"""Beyond that the number grows with this power of steps and seconds: each Gaussian costs time in every step.
Fox in 900 s: 300,000 score 32.1 dB, 157,000 score 32.5 dB."""
_BACKGROUND_FRACTION = 0.2
"""The most of the budget that points beyond the dense ones take."""
_BEYOND = 0.03
"""A sparse point is added if no dense point is as near as this, as a fraction of its distance to the
nearest camera."""
_SURE_ERROR_PX = 2.0
_SURE_TRACK = 3
_TREE_POINTS = 200_000


def gaussian_budget(options: SplatOptions) -> int:
    """The most Gaussians that training grows to: what was asked for, or what steps and time can settle."""
    length = min(options.iterations / _USUAL_STEPS, options.max_seconds / _USUAL_S)
    settling = _USUAL_GAUSSIANS * min(length, length**_LONG_GROWTH)
    return min(options.max_gaussians, max(round(settling), 1))


def settled(options: SplatOptions, photos: int) -> SplatOptions:
    """The options with no more Gaussians than `gaussian_budget`, and of harmonics no more coefficients than
    there are training photos to separate them from noise.
    """
    degree = max(math.isqrt(photos) - 1, 0)
    return replace(options, max_gaussians=gaussian_budget(options), sh_degree=min(options.sh_degree, degree))


def starting_splat(points: PointCloud, options: SplatOptions, reconstruction: Reconstruction) -> Gaussians:
    """One Gaussian per point, at most `gaussian_budget`; raises ValueError without any finite point.

    Reliable points of the reconstruction away from `points` are added: a dense cloud ends where few photos
    see far, and training does not find a far house from nothing.
    """
    budget = gaussian_budget(options)
    beyond = points_beyond(points, reconstruction)
    if not len(beyond.points_in_world):
        return light_splat(points, max_gaussians=budget, seed=options.seed)
    most = max(1, round(_BACKGROUND_FRACTION * budget))
    far = light_splat(beyond, max_gaussians=most, seed=options.seed)
    near = light_splat(points, max_gaussians=max(1, budget - len(far.means)), seed=options.seed)
    names = [field.name for field in fields(Gaussians)]
    return Gaussians(**{name: np.concatenate([getattr(near, name), getattr(far, name)]) for name in names})


def points_beyond(points: PointCloud, reconstruction: Reconstruction) -> PointCloud:
    """The reliable sparse points without a dense point nearby."""
    dense = points.points_in_world[np.isfinite(points.points_in_world).all(axis=1)]
    sure = (reconstruction.errors_px <= _SURE_ERROR_PX) & (reconstruction.track_lengths >= _SURE_TRACK)
    sparse = select(sparse_points(reconstruction), sure)
    if not len(sparse.points_in_world) or not len(dense):
        return select(sparse, np.empty(0, np.intp))
    tree = KDTree(dense[:: max(1, len(dense) // _TREE_POINTS)])
    cameras = KDTree([view.centre_in_world for view in reconstruction.views])
    gap, distance = (found.query(sparse.points_in_world)[0] for found in (tree, cameras))
    return select(sparse, gap > _BEYOND * distance)


def training_start(rows: Float32, opacity: float) -> Float32:
    """Rows of a light splat prepared for training: less opaque and less flat, so that all get gradients."""
    started = rows.copy()
    started[:, LOGIT] = np.log(opacity / (1 - opacity))
    thickest = started[:, LOG_SCALE:LOGIT].max(axis=1, keepdims=True)
    started[:, LOG_SCALE:LOGIT] = np.maximum(started[:, LOG_SCALE:LOGIT], thickest + np.log(0.3))
    return started
