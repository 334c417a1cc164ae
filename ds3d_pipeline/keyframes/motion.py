"""How far the picture moves from frame to frame, as a fraction of its diagonal."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ds3d_pipeline.keyframes.sharpness import local_variance
from ds3d_pipeline.scene import Float32, UInt8

MOTION_SIDE_PX = 360
"""Longer side of the pictures in which motion is measured."""
LOST_MOTION = 0.25
"""Taken for a step between textured frames in which nothing is found again: a whip pan, or a cut."""

_MAX_POINTS, _MIN_POINTS = 200, 20
_MIN_SURVIVING = 0.3
_ANCHOR_MOTION = 0.02
_ROUND_TRIP_PX = 1.0
_LEVELS, _WINDOW = 4, (21, 21)
_MIN_PHASE_RESPONSE = 0.15
_MIN_CONTRAST = 3.0
"""Gray levels (standard deviation) below which a frame has too little texture to measure motion in."""


class MotionMeter:
    """Accumulates image motion over a video, fed frame by frame.

    Points are tracked by pyramidal Lucas-Kanade flow (Bouguet, 2001) with a check of the way back. Their
    median displacement counts from an anchor frame, replaced after 2 % of the diagonal, so that the
    trembling of a hand does not add up. Where the points get lost, phase correlation gives the step; where
    that fails too, a textured frame counts as `LOST_MOTION` and one without texture as the step before.
    """

    def __init__(self) -> None:
        self._previous: UInt8 | None = None
        self._anchor: Float32 = np.empty((0, 2), np.float32)
        self._points = self._anchor
        self._base = self._displacement = self._step = self._total = 0.0

    def advance(self, gray: UInt8) -> float:
        """Motion from the first frame to this one, (H, W) of the same size, never less than before."""
        if self._previous is None:
            self._set_anchor(gray)
        else:
            self._follow(self._previous, gray)
        self._previous = gray
        self._step = max(self._base + self._displacement - self._total, 0.0)
        self._total += self._step
        return self._total

    def _follow(self, previous: UInt8, gray: UInt8) -> None:
        points, found = _track(previous, gray, self._points)
        enough = max(_MIN_POINTS, _MIN_SURVIVING * len(self._anchor))
        if np.count_nonzero(found) >= enough:
            self._anchor, self._points = self._anchor[found], points[found]
            distances = np.linalg.norm(self._points - self._anchor, axis=1)
            self._displacement = float(np.median(distances)) / _diagonal(gray)
            if self._displacement >= _ANCHOR_MOTION:
                self._base += self._displacement
                self._set_anchor(gray)
        else:
            self._base += self._displacement + self._step_without_points(previous, gray)
            self._set_anchor(gray)

    def _step_without_points(self, previous: UInt8, gray: UInt8) -> float:
        step = _phase_motion(previous, gray)
        if step is not None:
            return step
        return LOST_MOTION if min(_contrast(previous), _contrast(gray)) >= _MIN_CONTRAST else self._step

    def _set_anchor(self, gray: UInt8) -> None:
        self._displacement = 0.0
        corners = cv2.goodFeaturesToTrack(gray, _MAX_POINTS, qualityLevel=0.01, minDistance=8)
        found = np.empty((0, 2)) if corners is None else corners
        self._anchor = np.asarray(found, np.float32).reshape(-1, 2)
        self._points = self._anchor


def equivalent_shift_px(gray: UInt8, other: UInt8) -> float:
    """Mean difference of two pictures over their mean gradient: the shift that would cause it, in pixels.

    0 for a repeated frame, a few hundredths where a codec touched it up, infinite between flat pictures that
    differ.
    """
    a = gray.astype(np.float32)
    difference = float(np.mean(np.abs(a - other)))
    gradient = float(np.mean(np.abs(np.diff(a, axis=0)))) + float(np.mean(np.abs(np.diff(a, axis=1))))
    if difference == 0:
        return 0.0
    return difference / gradient if gradient > 0 else math.inf


def _diagonal(gray: UInt8) -> float:
    return math.hypot(*gray.shape)


def _contrast(gray: UInt8) -> float:
    return math.sqrt(float(np.mean(local_variance(gray.astype(np.float32)))))


def _track(previous: UInt8, gray: UInt8, points: Float32) -> tuple[Float32, np.ndarray]:
    """(N, 2) new positions in pixels, and (N,) whether the way back ends where it began."""
    if len(points) == 0:
        return points, np.empty(0, bool)
    start = points[:, None]
    there, ok = _flow(previous, gray, start)
    back, ok_back = _flow(gray, previous, there)
    error = np.linalg.norm(back - start, axis=2)[:, 0]
    return there[:, 0], ok & ok_back & (error < _ROUND_TRIP_PX)


def _flow(previous: UInt8, gray: UInt8, start: Float32) -> tuple[Float32, np.ndarray]:
    """(N, 1, 2) new positions of (N, 1, 2), and (N,) whether they were found."""
    points, found, _ = cv2.calcOpticalFlowPyrLK(
        previous, gray, start, start.copy(), winSize=_WINDOW, maxLevel=_LEVELS
    )
    return np.asarray(points, np.float32), found[:, 0] > 0


def _phase_motion(previous: UInt8, gray: UInt8) -> float | None:
    """Shift by phase correlation (Kuglin and Hines, 1975) over the diagonal; None without a clear peak."""
    window = cv2.createHanningWindow(gray.shape[::-1], cv2.CV_32F)
    shift, response = cv2.phaseCorrelate(previous.astype(np.float32), gray.astype(np.float32), window)
    return math.hypot(*shift) / _diagonal(gray) if response >= _MIN_PHASE_RESPONSE else None
