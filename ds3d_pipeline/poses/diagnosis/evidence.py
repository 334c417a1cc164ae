"""What feature matching and mapping show about a capture, as plain records that any rung can fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from ds3d_pipeline.formats.images import shrunk
from ds3d_pipeline.keyframes.sharpness import MEASURE_SIDE_PX, local_variance
from ds3d_pipeline.poses.diagnosis.registration import FrameNoun
from ds3d_pipeline.poses.report import EvidenceSummary
from ds3d_pipeline.scene import Float64, UInt8

FEW_FEATURES = 300
"""A frame with fewer hardly matches its neighbours."""
HOMOGRAPHY_ERROR_PX = 3.0
FOCAL_GUESS = 1.2
FOCAL_GRID = (0.6, 0.7, 0.85, 1.0, FOCAL_GUESS, 1.45, 1.75)
"""Focal lengths over the longer side that are tried where none is known: phones are between 0.6 and 1.4."""
EXPLAINED = 0.1
"""Fraction of the motion that a rotation may leave unexplained: 0.02 with the right focal length, 0.4 for a
walk."""
MOST_PAIRS = 200
MOST_POINTS = 300
"""Pairs, and matches of a pair, that are measured; evenly chosen and enough for medians."""


@dataclass(frozen=True, kw_only=True)
class FrameEvidence:
    """One frame before any matching."""

    image: str
    name: str
    """As the user knows it: the photo's file name, or the time in the video."""
    features: int
    sharpness: float
    """As in `Keyframe.sharpness`: 0.1 or more is sharp."""
    contrast: float | None
    """Gray levels; see `contrast`. None where it was not measured because there are features enough."""


@dataclass(frozen=True, kw_only=True)
class MatchedPair:
    """The verified matches of two frames."""

    first: int
    second: int
    """Indices of the frames."""
    matches: int
    """Before verification."""
    inliers: int
    """After it: those that one epipolar geometry explains."""
    uv_first: Float64
    """(N, 2) pixels of all inliers or some of them, with their partners in `uv_second`."""
    uv_second: Float64


@dataclass(frozen=True, kw_only=True)
class PairEvidence:
    """The numbers of one pair; the last two are None where they were not measured."""

    first: int
    second: int
    matches: int
    inliers: int
    homography_fraction: float | None = None
    """Of the inliers, those that one homography explains: near 1 for a plane and for pure rotation."""
    parallax_deg: float | None = None
    """Median angle between the matched rays that no rotation of the camera explains."""


@dataclass(frozen=True, kw_only=True)
class ModelEvidence:
    """The mapped model."""

    images: frozenset[str]
    """Of the registered frames."""
    points_per_frame: float
    """Mean number of triangulated points that a registered frame sees."""
    triangulation_angle_deg: float
    """Median over the points of the largest angle between two of their rays."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All of it; `model` is None if nothing could be registered."""

    frames: tuple[FrameEvidence, ...]
    pairs: tuple[PairEvidence, ...]
    """Verified pairs only."""
    model: ModelEvidence | None
    noun: FrameNoun = "photo"
    """What the user calls the frames."""


def contrast(gray: UInt8) -> float:
    """Standard deviation within small neighbourhoods in gray levels, where the picture (H, W) has most.

    The 90th percentile, so that a sharp edge on an even wall counts. Under 2 there is nothing but noise.
    """
    small = shrunk(gray, MEASURE_SIDE_PX).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(small, (0, 0), 1.5), np.float32)
    return float(np.sqrt(np.percentile(local_variance(smooth), 90)))


def measure_pairs(
    pairs: Sequence[MatchedPair], sizes_wh: Sequence[tuple[int, int]], focals_px: Sequence[float | None]
) -> tuple[PairEvidence, ...]:
    """Numbers of pairs of frames with these sizes and, where known, focal lengths.

    If a focal length is missing, it is the one of `FOCAL_GRID` with which rotations explain the matches best,
    so that a wrong guess does not look like parallax.
    """
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_PAIRS)).astype(int)).tolist()
    measured = [pairs[index] for index in chosen]
    parallax = dict(zip(chosen, _least_parallax(measured, sizes_wh, focals_px), strict=True))
    fraction = {index: _homography_fraction(pairs[index]) for index in chosen}
    return tuple(
        PairEvidence(
            first=pair.first,
            second=pair.second,
            matches=pair.matches,
            inliers=pair.inliers,
            homography_fraction=fraction.get(index),
            parallax_deg=parallax.get(index),
        )
        for index, pair in enumerate(pairs)
    )


def _least_parallax(
    pairs: Sequence[MatchedPair], sizes_wh: Sequence[tuple[int, int]], focals_px: Sequence[float | None]
) -> list[float]:
    """Of each pair in degrees, with the focal length that leaves the least of the motion unexplained.

    If all leave much, there is parallax, and the usual focal length gives its amount.
    """
    found: dict[float, tuple[float, list[float]]] = {}
    for relative in (FOCAL_GUESS,) if all(focals_px) else FOCAL_GRID:
        focals = [f or relative * max(wh) for f, wh in zip(focals_px, sizes_wh, strict=True)]
        angles = [_parallax(pair, sizes_wh, focals) for pair in pairs]
        unexplained = np.median([left / max(moved, 0.01) for left, moved in angles]) if angles else 0.0
        found[relative] = float(unexplained), [left for left, _ in angles]
    best = min(found.values())
    return best[1] if best[0] < EXPLAINED else found[FOCAL_GUESS][1]


def _parallax(
    pair: MatchedPair, sizes_wh: Sequence[tuple[int, int]], focals_px: Sequence[float]
) -> tuple[float, float]:
    """Median angles in degrees between matched rays, with the best rotation removed and without."""
    chosen = np.linspace(0, len(pair.uv_first) - 1, min(len(pair.uv_first), MOST_POINTS)).astype(int)
    first = bearings(pair.uv_first[chosen], sizes_wh[pair.first], focals_px[pair.first])
    second = bearings(pair.uv_second[chosen], sizes_wh[pair.second], focals_px[pair.second])
    rotated = first @ best_rotation(first, second).T
    apart = np.linalg.norm(second - rotated, axis=1), np.linalg.norm(second - first, axis=1)
    return float(np.degrees(np.median(apart[0]))), float(np.degrees(np.median(apart[1])))


def bearings(uv: ArrayLike, size_wh: tuple[int, int], focal_px: float) -> Float64:
    """(N, 3) unit rays of pixels (N, 2), the principal point in the middle."""
    centred = (np.asarray(uv, np.float64) - np.array(size_wh) / 2) / focal_px
    rays = np.concatenate([centred, np.ones((len(centred), 1))], axis=1)
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def best_rotation(first: Float64, second: Float64) -> Float64:
    """(3, 3) rotation that brings unit rays (N, 3) nearest to others (Kabsch 1976)."""
    U, _, Vt = np.linalg.svd(second.T @ first)
    return (U * [1, 1, np.sign(np.linalg.det(U @ Vt))]) @ Vt


def _homography_fraction(pair: MatchedPair) -> float:
    cv2.setRNGSeed(0)
    _, mask = cv2.findHomography(pair.uv_first, pair.uv_second, cv2.RANSAC, HOMOGRAPHY_ERROR_PX)
    return 0.0 if mask is None else float(np.mean(mask))


def summarize(evidence: Evidence) -> EvidenceSummary:
    """The numbers that a report gives: medians over frames and pairs."""
    pairs, model = evidence.pairs, evidence.model
    fractions = [pair.homography_fraction for pair in pairs if pair.homography_fraction is not None]
    return EvidenceSummary(
        features_per_frame=_median([frame.features for frame in evidence.frames]),
        matched_pairs=len(pairs),
        inliers_per_pair=_median([pair.inliers for pair in pairs]),
        inlier_ratio=_median([pair.inliers / pair.matches for pair in pairs if pair.matches]),
        homography_fraction=_median(fractions),
        parallax_deg=widest_parallax_deg(pairs),
        triangulation_angle_deg=round(model.triangulation_angle_deg, 2) if model else None,
        points_per_frame=round(model.points_per_frame, 1) if model else None,
    )


def widest_parallax_deg(pairs: Sequence[PairEvidence]) -> float | None:
    """Parallax that a tenth of the measured pairs exceeds; None where no pair was measured."""
    measured = [pair.parallax_deg for pair in pairs if pair.parallax_deg is not None]
    return round(float(np.percentile(measured, 90)), 3) if measured else None


def _median(values: Sequence[float]) -> float | None:
    return round(float(np.median(values)), 3) if values else None
