"""How good depth maps are: against exact depth, and against sparse points that matching did not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.scene import DepthMap, Float32, Float64, Reconstruction, View

MAX_HELDOUT_ERROR_PX = 1.0
MIN_HELDOUT_TRACK = 3


@dataclass(frozen=True, kw_only=True)
class DepthScore:
    """One map against the truth; fractions in [0, 1]."""

    coverage: float
    """Of the pixels that three or more views see, those with a depth."""
    within: tuple[float, ...]
    """Of the same pixels, those with a depth whose relative error is within each threshold."""
    correct: tuple[float, ...]
    """Of the depths given, those within each threshold of the truth."""
    median_error: float
    """Relative, of the depths given."""


def score_depth(
    found: Float32, truth: Float32, seen_by_three: NDArray[np.bool_], thresholds: Sequence[float]
) -> DepthScore:
    """Compares depth (H, W) with the truth of the same size; 0 is no depth in both."""
    known = found > 0
    error = np.where(known & (truth > 0), np.abs(found / np.where(truth > 0, truth, 1) - 1), np.inf)
    return DepthScore(
        coverage=float(known[seen_by_three].mean()),
        within=tuple(float((error <= limit)[seen_by_three].mean()) for limit in thresholds),
        correct=tuple(float((error <= limit)[known].mean()) for limit in thresholds),
        median_error=float(np.median(error[known])) if known.any() else float("inf"),
    )


def hold_out(
    model: Reconstruction, fraction: float, seed: int = 0
) -> tuple[Reconstruction, NDArray[np.bool_]]:
    """The model without a random fraction of its points, and which points (N,) were held out.

    A held-out point is missing in every view, so that no other view's map can carry it in.
    """
    out = np.random.default_rng(seed).random(len(model.points_in_world)) < fraction
    number = np.cumsum(~out) - 1
    views = tuple(
        replace(view, point_ids=number[view.point_ids[~out[view.point_ids]]].astype(np.int32))
        for view in model.views
    )
    kept = Reconstruction(
        views=views,
        points_in_world=model.points_in_world[~out],
        colors=model.colors[~out],
        errors_px=model.errors_px[~out],
        track_lengths=model.track_lengths[~out],
    )
    return kept, out


def heldout_errors(
    found: DepthMap, view: View, model: Reconstruction, out: NDArray[np.bool_]
) -> tuple[Float64, int]:
    """Relative depth errors at the held-out points that the view observes, and how many there are in all.

    Only points of three or more images and at most 1 px of error count; those on a hole have no error.
    """
    good = out & (model.errors_px <= MAX_HELDOUT_ERROR_PX) & (model.track_lengths >= MIN_HELDOUT_TRACK)
    ids = view.point_ids[good[view.point_ids]]
    pixels, depth = project(found.K, view.cam_from_world, model.points_in_world[ids])
    there = depth_at(found.depth, pixels)
    known = there > 0
    return np.abs(there[known] / depth[known] - 1), len(ids)


def depth_at(depth: Float32, pixels: Float64) -> Float64:
    """(N,) depth at places (N, 2), 0 for none.

    Bilinear in inverse depth, which is affine over a plane, where the four neighbours are within 2 % of each
    other; elsewhere that of the pixel itself.
    """
    height, width = depth.shape
    x, y = pixels.T - 0.5
    left = np.clip(np.floor(x).astype(int), 0, width - 2)
    top = np.clip(np.floor(y).astype(int), 0, height - 2)
    across, down = np.clip(x - left, 0, 1), np.clip(y - top, 0, 1)
    nearest = depth[top + (down >= 0.5), left + (across >= 0.5)].astype(np.float64)
    corners = np.array([depth[top + j, left + i] for j in (0, 1) for i in (0, 1)], np.float64)
    smooth = corners.min(axis=0) * 1.02 > corners.max(axis=0)
    weights = [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across]
    mixed = (np.array(weights) / np.where(smooth, corners, 1)).sum(axis=0)
    return np.where(smooth, 1 / mixed, nearest)
