"""Fewer Gaussians of a lower degree: as many as a browser, or a phone, can hold."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.scene import Float64, Gaussians

PREVIEW_BUDGET = 150_000
PREVIEW_DEGREE = 1
FAR = 25.0
"""What is further from every camera than this many times the cameras' own spread is left out of a preview:
single huge Gaussians there draw rims over the whole picture."""


def preview_splat(splat: Gaussians, centres_in_world: Float64, budget: int = PREVIEW_BUDGET) -> Gaussians:
    """At most `budget` Gaussians of `PREVIEW_DEGREE`: those near the cameras, then those that cover most.

    `centres_in_world` (C, 3) are the cameras; without any, no Gaussian is too far.
    """
    near = _select(splat, np.flatnonzero(_is_near(splat, centres_in_world)))
    thin = thin_splat(near, budget)
    kept = (PREVIEW_DEGREE + 1) ** 2
    return Gaussians(**{**_columns(thin), "sh_coeffs": thin.sh_coeffs[:, :kept]})


def thin_splat(splat: Gaussians, budget: int) -> Gaussians:
    """At most `budget` Gaussians: those that cover most, by opacity times the two longest axes."""
    if len(splat.means) <= budget:
        return splat
    scales = np.sort(splat.log_scales, axis=1)
    opacity = 1 / (1 + np.exp(-splat.opacity_logits.astype(np.float64)))
    cover = np.log(opacity) + scales[:, 1] + scales[:, 2]
    return _select(splat, np.sort(np.argpartition(-cover, budget)[:budget]))


def _is_near(splat: Gaussians, centres_in_world: Float64) -> NDArray[np.bool_]:
    from scipy.spatial import KDTree

    spread = float(np.ptp(centres_in_world, axis=0).max()) if len(centres_in_world) else 0.0
    if spread == 0:
        return np.ones(len(splat.means), dtype=bool)
    distances, _ = KDTree(centres_in_world).query(splat.means)
    return np.asarray(distances) < FAR * spread


def _select(splat: Gaussians, kept: NDArray[np.intp]) -> Gaussians:
    return Gaussians(**{name: values[kept] for name, values in _columns(splat).items()})


def _columns(splat: Gaussians) -> dict[str, NDArray[np.float32]]:
    return {field.name: getattr(splat, field.name) for field in fields(splat)}
