"""What the keyframes stage reports."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record


@report_record
class KeyframesReport:
    """The chosen frames."""

    kept: int
    """Frames that were selected."""
    considered: int
    """Frames or photos that were checked."""
    dropped: dict[str, int]
    """Frames that were left out as unusable, counted by reason: black, frozen, duplicate, another
    size, unreadable."""
    median_sharpness: float
    """Over the selected frames; sharp images have 0.1 or more."""
    size: tuple[int, int]
    """Width and height of the first chosen frame in pixels."""
    cameras: int
    """Number of different cameras, focal lengths and sizes."""
    fps: float | None = None
    """Frames a second of the video; None of photos."""
    duration_s: float | None = None
    """Length of the video in seconds; None of photos."""
    total_motion: float | None = None
    """Image motion over the whole video in diagonals of the picture; None of photos."""
    largest_gap_s: float | None = None
    """Longest time between two neighbouring keyframes in seconds; None of photos."""
    largest_gap_motion: float | None = None
    """Largest image motion between two neighbouring keyframes in diagonals; None of photos."""
