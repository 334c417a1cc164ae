"""Verified matches of image pairs: preemptive, then guided along epipolar lines.

The coarsest features of two images are matched first (Wu 2013, "Towards linear-time incremental structure
from motion"): ratio test (Lowe 2004) and mutual check, verified by a fundamental matrix (MAGSAC++, Barath et
al. 2020). Where enough agree, all features are matched near their epipolar lines and verified again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from ds3d_pipeline.poses.matching.features import Features
from ds3d_pipeline.poses.opencv.usac import estimate
from ds3d_pipeline.programs.jit import EXACT, serial
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.scene import Float32, Float64, Int32, UInt8

PREVIEW_FEATURES = 1200
"""Coarsest features of an image that decide whether a pair overlaps."""
PREVIEW_RATIO = 0.8
MIN_PREVIEW_INLIERS = 12
GUIDED_RATIO = 0.85
MIN_COSINE = 0.75
"""Of descriptors that may match, as COLMAP's largest angle of 0.7 radians."""
BAND = 0.006
"""Half width of the search about the epipolar line, as a fraction of the longer side."""
EPIPOLAR_ERROR = 0.0012
"""Largest distance to the epipolar line, as a fraction of the longer side: 2 px at 1600 px."""
MIN_INLIERS = 15
UNIT = 512.0**2
"""The squared length of a descriptor."""


@dataclass(frozen=True, kw_only=True)
class PairMatches:
    """The verified matches of two images."""

    first: int
    second: int
    indices: Int32
    """(M, 2) features of the first and of the second image."""
    F: Float64
    """(3, 3) fundamental matrix: x_second^T F x_first = 0 in pixels."""
    inlier_ratio: float = 1.0
    """Share of the matches that were verified, among those found without the epipolar geometry's help."""


def match_pairs(
    features: Sequence[Features],
    pairs: Sequence[tuple[int, int]],
    sides_px: Sequence[int],
    *,
    seed: int,
    report: Callable[..., None],
) -> list[PairMatches]:
    """Matches of the pairs that overlap, in order. `sides_px` are the images' longer sides."""

    def match_one(pair: tuple[int, int]) -> PairMatches | None:
        return match_pair(features, pair, max(sides_px[pair[0]], sides_px[pair[1]]), seed=seed)

    cv2.setNumThreads(1)
    found: list[PairMatches | None] = []
    with ThreadPoolExecutor(max_workers=allowed_cpus()) as pool:
        for one in pool.map(match_one, pairs):
            found.append(one)
            report(len(found) / len(pairs), f"{len(found)} of {len(pairs)} pairs matched")
    return [one for one in found if one is not None]


def match_pair(
    features: Sequence[Features], pair: tuple[int, int], side_px: int, *, seed: int
) -> PairMatches | None:
    """Verified matches of one pair; None where it does not overlap."""
    first, second = features[pair[0]], features[pair[1]]
    coarse = _preview(first.descriptors[:PREVIEW_FEATURES], second.descriptors[:PREVIEW_FEATURES])
    verified = verify(first, second, coarse, 2 * EPIPOLAR_ERROR * side_px, seed)
    if verified is None or len(verified[0]) < MIN_PREVIEW_INLIERS:
        return None
    inlier_ratio = len(verified[0]) / len(coarse)
    guided = match_along_lines(first, second, verified[1], BAND * side_px)
    verified = verify(first, second, guided, EPIPOLAR_ERROR * side_px, seed)
    if verified is None or len(verified[0]) < MIN_INLIERS:
        return None
    indices, F = verified
    return PairMatches(first=pair[0], second=pair[1], indices=indices, F=F, inlier_ratio=inlier_ratio)


def _preview(first: UInt8, second: UInt8) -> Int32:
    """(M, 2) mutual best matches that pass the ratio test, of descriptors (N, 128)."""
    if min(len(first), len(second)) < 2:
        return np.zeros((0, 2), np.int32)
    cosines = (first.astype(np.float32) / 512) @ (second.astype(np.float32).T / 512)
    forward, backward = cosines.argmax(axis=1), cosines.argmax(axis=0)
    rows = np.arange(len(first))
    best = cosines[rows, forward]
    cosines[rows, forward] = -1
    runner_up = cosines.max(axis=1)
    good = (backward[forward] == rows) & (best > MIN_COSINE)
    good &= (1 - best) < PREVIEW_RATIO**2 * (1 - runner_up)
    return np.stack([rows[good], forward[good]], axis=1).astype(np.int32)


def verify(
    first: Features, second: Features, matches: Int32, max_error_px: float, seed: int
) -> tuple[Int32, Float64] | None:
    """The matches that agree with the pair's fundamental matrix, and it; None where there is none."""
    if len(matches) < 8:
        return None
    a = np.ascontiguousarray(first.keypoints[matches[:, 0], :2], np.float64)
    b = np.ascontiguousarray(second.keypoints[matches[:, 1], :2], np.float64)
    found = estimate(lambda params: cv2.findFundamentalMat(a, b, params), max_error_px, seed)
    if found is None or found[0] is None or found[0].shape != (3, 3):
        return None
    F, mask = found
    return matches[mask.ravel().astype(bool)], np.asarray(F, np.float64)


def match_along_lines(first: Features, second: Features, F: Float64, band_px: float) -> Int32:
    """(M, 2) mutual best matches within `band_px` of the epipolar line that pass the ratio test."""
    if min(len(first.keypoints), len(second.keypoints)) == 0:
        return np.zeros((0, 2), np.int32)
    a = np.column_stack([first.keypoints[:, :2], np.ones(len(first.keypoints))])
    lines = a @ F.T
    lines /= np.maximum(np.linalg.norm(lines[:, :2], axis=1, keepdims=True), 1e-12)
    x, y = np.ascontiguousarray(second.keypoints[:, :2].T)
    chosen = best_along_lines(
        lines.astype(np.float32), x, y, first.descriptors, second.descriptors, np.float32(band_px)
    )
    rows = np.flatnonzero(chosen >= 0)
    return np.stack([rows, chosen[rows]], axis=1).astype(np.int32)


@serial(floats=EXACT)
def best_along_lines(
    lines: Float32, x: Float32, y: Float32, first: UInt8, second: UInt8, band_px: np.float32
) -> Int32:
    """For each line (N, 3) of a feature, the feature of the other image that matches it, or -1.

    x, y (M,): where the other image's features are, in pixels. first (N, D) and second (M, D): descriptors. A
    candidate is at most band_px from the line, whose normal has length 1. Both descriptors' best must be each
    other, and better than their second best within the band by the ratio.
    """
    n, m = len(lines), len(x)
    best = np.full(n, -1, np.int32)
    back = np.full(m, -1, np.int32)
    scores, seconds = np.zeros((2, n), np.int32)
    back_scores, back_seconds = np.zeros((2, m), np.int32)
    away = np.empty(m, np.float32)
    for i in range(n):
        a, b, c = lines[i]
        for j in range(m):
            away[j] = abs(a * x[j] + b * y[j] + c)
        for j in range(m):
            if away[j] > band_px:
                continue
            score = np.int32(0)
            for k in range(128):
                score += np.int32(first[i, k]) * np.int32(second[j, k])
            if score > scores[i]:
                seconds[i], scores[i], best[i] = scores[i], score, j
            elif score > seconds[i]:
                seconds[i] = score
            if score > back_scores[j]:
                back_seconds[j], back_scores[j], back[j] = back_scores[j], score, i
            elif score > back_seconds[j]:
                back_seconds[j] = score
    for i in range(n):
        j = best[i]
        if j >= 0 and (
            back[j] != i
            or scores[i] < MIN_COSINE * UNIT
            or UNIT - scores[i] > GUIDED_RATIO**2 * (UNIT - max(seconds[i], back_seconds[j]))
        ):
            best[i] = -1
    return best
