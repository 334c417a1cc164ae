"""The focal length of a camera from its pairs' fundamental matrices, where EXIF does not give it.

With the right focal length the two non-zero singular values of the essential matrix are equal (Mendonça and
Cipolla 1999, "A simple technique for self-calibration"). Every pair votes over a range of focal lengths.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3d_pipeline.poses.opencv.matching import PairMatches
from ds3d_pipeline.scene import Float64

CANDIDATES = np.geomspace(0.4, 3.0, 81)
"""Focal lengths over the longer side: 102 to 19 degrees of view."""
MAX_PAIRS = 120
TOLERANCE = 0.03
"""Relative difference of the singular values at which a pair's vote is half gone."""


def vote_focal_px(matches: Sequence[PairMatches], centre_px: Float64, side_px: float) -> float | None:
    """The focal length that most matches agree with; None if the pairs do not determine it.

    `matches` are pairs of one camera; `centre_px` (2,) is its principal point.
    """
    best = sorted(matches, key=lambda pair: -len(pair.indices))[:MAX_PAIRS]
    if not best:
        return None
    votes = np.array([len(pair.indices) for pair in best]) @ np.stack(
        [_agreement(pair.F, centre_px, side_px) for pair in best]
    )
    peak = int(votes.argmax())
    if peak in (0, len(CANDIDATES) - 1) or votes[peak] <= 0:
        return None
    return float(CANDIDATES[peak] * side_px)


def _agreement(F: Float64, centre_px: Float64, side_px: float) -> Float64:
    """(81,) how well each focal length fits one pair, above the pair's mean over all of them."""
    to_pixels = np.array([[side_px, 0, centre_px[0]], [0, side_px, centre_px[1]], [0, 0, 1]])
    in_sides = to_pixels.T @ F @ to_pixels
    focal = np.stack([CANDIDATES, CANDIDATES, np.ones_like(CANDIDATES)], axis=1)
    singular = np.linalg.svd(focal[:, :, None] * in_sides * focal[:, None, :], compute_uv=False)
    difference = 1 - singular[:, 1] / np.maximum(singular[:, 0], 1e-12)
    votes = 1 / (1 + (difference / TOLERANCE) ** 2)
    return votes - votes.mean()
