"""The options of the keyframes stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ds3d_pipeline.programs.options import Fraction, Seconds, SidePx, options_record


@options_record
class KeyframesOptions:
    """Selection of keyframes."""

    max_frames: Annotated[int, Field(ge=1, le=10_000)] = 90
    """Maximum number of keyframes from a video (for photos see `max_photos`)."""
    max_photos: Annotated[int, Field(ge=1, le=10_000)] = 400
    """Maximum number of photos used."""
    max_side_px: SidePx = 1600
    """Longer side of a keyframe; smaller images are not enlarged."""
    max_gap_s: Seconds = 2.0
    """Maximum time between neighbouring keyframes of a video."""
    motion_fraction: Fraction = 0.04
    """Image motion between neighbouring keyframes, as a fraction of the image diagonal."""
