"""The knobs of the keyframes stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KeyframesOptions:
    """How many frames to keep and at what size."""

    max_frames: int = 90
    """Most keyframes of a video; photos are all kept up to `max_photos`."""
    max_photos: int = 400
    max_side_px: int = 1600
    """The longer side of a keyframe; smaller sources are never enlarged."""
    max_gap_s: float = 2.0
    """Coverage floor: no two neighbouring keyframes of a video are further apart in time."""
    motion_fraction: float = 0.04
    """Image motion between neighbouring keyframes, as a fraction of the image diagonal."""
