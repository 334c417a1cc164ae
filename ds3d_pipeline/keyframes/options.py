"""The options of the keyframes stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ds3d_pipeline.programs.options import Fraction, Seconds, SidePx, options_record


@options_record
class KeyframesOptions:
    """How many frames to keep and at what size."""

    max_frames: Annotated[int, Field(ge=1, le=10_000)] = 90
    """Most keyframes of a video; photos are all kept up to `max_photos`."""
    max_photos: Annotated[int, Field(ge=1, le=10_000)] = 400
    """Most photos that are kept."""
    max_side_px: SidePx = 1600
    """Longer side of a keyframe; smaller sources are never enlarged."""
    max_gap_s: Seconds = 2.0
    """Coverage floor: no two neighbouring keyframes of a video are further apart in time."""
    motion_fraction: Fraction = 0.04
    """Image motion between neighbouring keyframes, as a fraction of the image diagonal."""
