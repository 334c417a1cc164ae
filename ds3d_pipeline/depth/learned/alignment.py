"""Relative disparity to depth: by the sparse points that a view sees, or by an assumed range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.scene import Float32, Float64

MIN_POINTS = 12
TRIES = 300
INLIER_DEVIATIONS = 2.5
MAX_RELATIVE_SPREAD = 0.5
"""Residuals this large next to the points' own spread mean that model and points do not agree."""
MAX_BEYOND = 2.0
"""Depths further than this times the furthest point are a guess too far."""
FAR_OVER_NEAR = 3.0
"""Assumed range of depth where nothing measures it."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """inverse_depth = scale * disparity + shift."""

    scale: float
    shift: float
    inliers: float
    """Share of the points that agree."""
    spread: float
    """Standard deviation of the inliers' residuals, in inverse depth."""


def align(disparity: Float64, inverse_depth: Float64, seed: int = 0) -> Alignment | None:
    """Scale and shift between (N,) disparities and inverse depths of the same points, whatever half is wrong.

    Least median of squares over random pairs (Rousseeuw 1984), then least squares over the inliers. None
    where the points are too few, all at one disparity, or do not rise with it.
    """
    if len(disparity) < MIN_POINTS or not np.ptp(disparity) > 0:
        return None
    scale, shift = _best_pair(disparity, inverse_depth, np.random.default_rng(seed))
    inliers = np.ones(len(disparity), bool)
    for _ in range(5):
        inliers = _inliers(disparity, inverse_depth, scale, shift)
        if not np.ptp(disparity[inliers]) > 0:
            return None
        scale, shift = np.polyfit(disparity[inliers], inverse_depth[inliers], 1)
    spread = float(np.std(inverse_depth[inliers] - scale * disparity[inliers] - shift))
    if scale <= 0 or spread > MAX_RELATIVE_SPREAD * np.std(inverse_depth[inliers]):
        return None
    return Alignment(scale=float(scale), shift=float(shift), inliers=float(inliers.mean()), spread=spread)


def _best_pair(x: Float64, y: Float64, random: np.random.Generator) -> tuple[float, float]:
    first, second = random.integers(0, len(x), (2, TRIES))
    usable = x[first] != x[second]
    first, second = first[usable], second[usable]
    if not len(first):
        first, second = np.array([np.argmin(x)]), np.array([np.argmax(x)])
    scales = (y[second] - y[first]) / (x[second] - x[first])
    shifts = y[first] - scales * x[first]
    medians = np.median(np.abs(y - scales[:, None] * x - shifts[:, None]), axis=1)
    best = int(np.argmin(medians))
    return float(scales[best]), float(shifts[best])


def _inliers(x: Float64, y: Float64, scale: float, shift: float) -> NDArray[np.bool_]:
    residuals = np.abs(y - scale * x - shift)
    deviation = 1.4826 * float(np.median(residuals))
    return residuals <= max(INLIER_DEVIATIONS * deviation, 1e-9 * float(np.abs(y).max()))


def aligned_depth(disparity: Float32, alignment: Alignment, furthest: float) -> Float32:
    """(H, W) depth; 0 where that is behind the camera or more than twice as far as the furthest point."""
    inverse = alignment.scale * disparity + alignment.shift
    known = inverse > 1 / (MAX_BEYOND * furthest)
    return np.divide(1.0, inverse, out=np.zeros(inverse.shape, np.float32), where=known).astype(np.float32)


def assumed_depth(disparity: Float32) -> Float32:
    """(H, W) depth from 1 to `FAR_OVER_NEAR` of disparity in [0, 1]; only the range is made up."""
    far = 1 / FAR_OVER_NEAR
    return (1 / (far + (1 - far) * disparity)).astype(np.float32)
