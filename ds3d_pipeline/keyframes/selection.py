"""Which frames of a video become keyframes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.scene import Float64

MAX_MOTION_FRACTION = 0.25
"""Coverage floor: neighbouring frames with more motion overlap too little to be matched."""
_NEAREST, _FARTHEST = 0.5, 1.5
"""A window opens and closes this many steps after the last keyframe."""
_FINE_STEPS, _FINE_STEP_S = 10, 0.2
_GROWTH = 1.03
_OFF_CENTRE_COST = 0.2
"""Sharpness that a frame half a step from its window's centre must gain: a tenth, so that equally sharp
frames come out one step apart."""


@dataclass(frozen=True, kw_only=True)
class FrameMeasure:
    """One decoded frame of a video. `motion` is the image motion since the first frame, in diagonals."""

    index: int
    timestamp_s: float
    sharpness: float
    motion: float


def select_frames(frames: Sequence[FrameMeasure], options: KeyframesOptions) -> list[int]:
    """Positions in `frames` of the keyframes: the sharpest of each window, at most `options.max_frames`.

    Each window is half a step to one and a half steps after the last keyframe. A step is
    `options.motion_fraction` of image motion, or the time that keeps `options.max_gap_s`. Where that gives
    too many keyframes the steps grow: the motion step first, up to the largest that keeps
    `MAX_MOTION_FRACTION` between keyframes, then both. Where it leaves keyframes to spare, they go to smaller
    motion, down to a tenth of the motion step and 0.2 s, so that a slow camera or a low frame rate leaves
    little unused.
    """
    if not frames:
        return []
    sharpness = np.array([frame.sharpness for frame in frames])

    def choose(scale: float, fine_scale: float) -> list[int]:
        return _sharpest_by_window(_steps(frames, options, scale, fine_scale), sharpness)

    scale = fine_scale = 1.0
    while len(chosen := choose(scale, math.inf)) > options.max_frames:
        scale *= _GROWTH
    if scale > 1 or len(chosen) == options.max_frames:
        return chosen
    while len(chosen := choose(scale, fine_scale)) > options.max_frames:
        fine_scale *= _GROWTH
    return chosen


def _steps(
    frames: Sequence[FrameMeasure], options: KeyframesOptions, scale: float, fine_scale: float
) -> Float64:
    """(N,) position of every frame, counted in steps from the first."""
    seconds = np.diff([frame.timestamp_s for frame in frames], prepend=frames[0].timestamp_s)
    motion = np.diff([frame.motion for frame in frames], prepend=frames[0].motion)
    motion_step = options.motion_fraction * scale
    largest_step = max(MAX_MOTION_FRACTION / _FARTHEST, options.motion_fraction)
    time_step = options.max_gap_s / _FARTHEST * max(1.0, motion_step / largest_step)
    fine = np.minimum(motion * _FINE_STEPS / motion_step, seconds / _FINE_STEP_S) / fine_scale
    return np.cumsum(np.maximum.reduce([motion / motion_step, seconds / time_step, fine]))


def _sharpest_by_window(steps: Float64, sharpness: Float64) -> list[int]:
    first = int(np.searchsorted(steps, _NEAREST))
    chosen = [int(np.argmax(sharpness[:first]))]
    while True:
        last = chosen[-1]
        start = int(np.searchsorted(steps, steps[last] + _NEAREST))
        if start == len(steps):
            return chosen
        end = int(np.searchsorted(steps, steps[last] + _FARTHEST, side="right"))
        if end > start:
            off_centre = np.abs(steps[start:end] - steps[last] - 1)
            chosen.append(start + int(np.argmax(sharpness[start:end] * (1 - _OFF_CENTRE_COST * off_centre))))
        elif start - 1 > last:
            # The picture jumps here: what was seen last before the jump connects best to what follows.
            chosen += [start - 1, start]
        else:
            chosen.append(start)


def spread_evenly(sharpness: Sequence[float], count: int) -> list[int]:
    """Positions of at most `count` photos: the sharpest of each of `count` equal runs in their order."""
    if len(sharpness) <= count:
        return list(range(len(sharpness)))
    runs = np.array_split(np.arange(len(sharpness)), count)
    return [int(run[np.argmax(np.asarray(sharpness)[run])]) for run in runs]
