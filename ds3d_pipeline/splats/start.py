"""The splat that training begins with, whatever it trains on."""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.options import SplatOptions
from ds3d_pipeline.scene import Float32, Gaussians, PointCloud
from ds3d_pipeline.splats.layout import LOG_SCALE, LOGIT
from ds3d_pipeline.splats.light import light_splat

_GAUSSIANS_PER_SECOND = 500
"""More Gaussians than this per second of the time limit do not settle within it on two cores."""


def gaussian_budget(options: SplatOptions) -> int:
    """The most Gaussians that training grows to: what was asked for, or what the time limit can settle."""
    return min(options.max_gaussians, max(round(_GAUSSIANS_PER_SECOND * options.max_seconds), 1))


def starting_splat(points: PointCloud, options: SplatOptions) -> Gaussians:
    """One Gaussian per point, at most `gaussian_budget`; raises ValueError without any finite point."""
    return light_splat(points, max_gaussians=gaussian_budget(options), seed=options.seed)


def training_start(rows: Float32, opacity: float) -> Float32:
    """Rows of a light splat made ready: less opaque and less flat, so that light reaches what lies behind."""
    started = rows.copy()
    started[:, LOGIT] = np.log(opacity / (1 - opacity))
    thickest = started[:, LOG_SCALE:LOGIT].max(axis=1, keepdims=True)
    started[:, LOG_SCALE:LOGIT] = np.maximum(started[:, LOG_SCALE:LOGIT], thickest + np.log(0.3))
    return started
