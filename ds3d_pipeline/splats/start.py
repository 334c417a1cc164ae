"""The splat that training begins with, whatever it trains on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3d_pipeline.options import SplatOptions
from ds3d_pipeline.scene import Gaussians, PointCloud
from ds3d_pipeline.splats.backdrop import backdrop
from ds3d_pipeline.splats.inputs import Photo
from ds3d_pipeline.splats.light import light_splat

_GAUSSIANS_PER_SECOND = 500
"""More Gaussians than this per second of the time limit do not settle within it on two cores."""
_BACKDROP_SHARE = 0.2
"""Most Gaussians of the backdrop, as a share of all."""


def gaussian_budget(options: SplatOptions) -> int:
    """The most Gaussians that training grows to: what was asked for, or what the time limit can settle."""
    return min(options.max_gaussians, max(round(_GAUSSIANS_PER_SECOND * options.max_seconds), 1))


def starting_splat(points: PointCloud, photos: Sequence[Photo], options: SplatOptions) -> Gaussians:
    """One Gaussian per point, at most `options.max_gaussians`, and some for what no point reaches.

    Raises ValueError where there is no finite point at all.
    """
    most = options.max_gaussians
    behind = backdrop(points, photos, round(_BACKDROP_SHARE * most), options.seed)
    count = len(behind.points_in_world)
    near = light_splat(points, max_gaussians=max(most - count, 1), seed=options.seed)
    if not count:
        return near
    return _joined(near, light_splat(behind, max_gaussians=count, seed=options.seed))


def _joined(one: Gaussians, other: Gaussians) -> Gaussians:
    return Gaussians(
        **{name: np.concatenate([value, vars(other)[name]]) for name, value in vars(one).items()}
    )
