"""The first two views: relative pose from the essential matrix, with cheirality (Nistér 2004)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ds3d_pipeline.poses.opencv.matching import PairMatches
from ds3d_pipeline.poses.opencv.usac import estimate
from ds3d_pipeline.scene import Float64

CANDIDATES = 60
"""How many of the pairs with the most matches are examined."""
GOOD_ANGLE_DEG = 16.0
"""Median triangulation angle above which more adds nothing."""
MIN_ANGLE_DEG = 2.0
MIN_POINTS = 30
MAX_DISTANCE = 1000.0
"""Of a point, in baselines."""


@dataclass(frozen=True, kw_only=True)
class RelativePose:
    """Pose of the second camera in the frame of the first, baseline 1."""

    rotation: Float64
    """(3, 3) second_from_first."""
    translation: Float64
    """(3,)."""
    points: int
    """Matches in front of both cameras."""
    angle_deg: float
    """Median angle between their rays."""

    @property
    def score(self) -> float:
        """More points at wide angles are a better start."""
        return self.points * min(self.angle_deg / GOOD_ANGLE_DEG, 1.0)


def relative_pose(first: Float64, second: Float64, max_error: float, *, seed: int) -> RelativePose | None:
    """From matches (M, 2) on the plane z = 1, wrong ones among them; None where no pose is found.

    `max_error` is the distance to the epipolar line on that plane.
    """
    if len(first) < MIN_POINTS:
        return None
    K, lens = np.eye(3), np.zeros(5)
    found = estimate(
        lambda params: cv2.findEssentialMat(first, second, K, K, lens, lens, params), max_error, seed
    )
    if found is None or found[0] is None or found[0].shape != (3, 3):
        return None
    E, mask = found
    inliers = mask.ravel().astype(bool)
    _, R, t, front, _ = cv2.recoverPose(E, first[inliers], second[inliers], K, distanceThresh=MAX_DISTANCE)
    R, front = np.asarray(R, np.float64), front.ravel().astype(bool)
    if front.sum() < MIN_POINTS:
        return None
    angles = _angles_deg(first[inliers][front], second[inliers][front], R)
    # Half of the points beyond the cheirality test means that the rotation explains the matches as well.
    if front.sum() < 0.5 * inliers.sum():
        return None
    return RelativePose(
        rotation=R,
        translation=np.asarray(t, np.float64).ravel(),
        points=int(front.sum()),
        angle_deg=float(np.median(angles)),
    )


def _angles_deg(first: Float64, second: Float64, rotation: Float64) -> Float64:
    a = np.column_stack([first, np.ones(len(first))]) @ rotation.T
    b = np.column_stack([second, np.ones(len(second))])
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1)))


def first_pairs(
    matches: Sequence[PairMatches],
    normalized_xy: Sequence[Float64],
    max_errors: Sequence[float],
    *,
    seed: int,
) -> Iterator[tuple[PairMatches, RelativePose]]:
    """Pairs to start from, the best first. `normalized_xy`: (N_i, 2) features of every image on z = 1."""
    likely = sorted(matches, key=lambda pair: -len(pair.indices) * _motion(pair, normalized_xy))[:CANDIDATES]
    found = []
    for pair in likely:
        first = normalized_xy[pair.first][pair.indices[:, 0]]
        second = normalized_xy[pair.second][pair.indices[:, 1]]
        pose = relative_pose(first, second, max_errors[pair.first], seed=seed)
        if pose is not None and pose.angle_deg >= MIN_ANGLE_DEG:
            found.append((pair, pose))
    yield from sorted(found, key=lambda one: -one[1].score)


def _motion(pair: PairMatches, normalized_xy: Sequence[Float64]) -> float:
    """Median motion of the matches on the plane z = 1, up to where it is surely enough."""
    first = normalized_xy[pair.first][pair.indices[:, 0]]
    second = normalized_xy[pair.second][pair.indices[:, 1]]
    return min(float(np.median(np.linalg.norm(first - second, axis=1))), 0.2)
