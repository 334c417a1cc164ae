"""The pose of one more image from points that it sees: PnP with RANSAC."""

from __future__ import annotations

import cv2
import numpy as np

from ds3d_pipeline.poses.opencv.usac import estimate
from ds3d_pipeline.scene import Float64

MIN_INLIERS = 15
MIN_INLIER_RATIO = 0.25
UNIT_PX = 1000.0
"""Focal length that OpenCV sees: it counts errors in pixels."""


def resect(points: Float64, xy: Float64, max_error: float, *, seed: int) -> tuple[Float64, Float64] | None:
    """cam_from_world (3, 3) and (3,) from points (M, 3) and where they are on z = 1 (M, 2), some wrong.

    `max_error` is a distance on z = 1. None where too few points agree.
    """
    if len(points) < MIN_INLIERS:
        return None
    K = np.diag([UNIT_PX, UNIT_PX, 1.0])
    pixels, lens = xy * UNIT_PX, np.zeros(4)
    answer = estimate(
        lambda params: cv2.solvePnPRansac(points, pixels, K, lens, params=params), max_error * UNIT_PX, seed
    )
    if answer is None or not answer[0] or answer[4] is None:
        return None
    _, _, turn, shift, inliers = answer
    rows = inliers.ravel()
    if len(rows) < max(MIN_INLIERS, MIN_INLIER_RATIO * len(points)):
        return None
    turn, shift = cv2.solvePnPRefineLM(points[rows], pixels[rows], K, lens, turn, shift)
    return np.asarray(cv2.Rodrigues(turn)[0], np.float64), np.asarray(shift, np.float64).ravel()
