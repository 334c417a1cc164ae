"""What the depth stage reports."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record


@report_record
class DepthReport:
    """The depth maps. Coverages are fractions of the pixels of all maps."""

    coverage: float
    """Pixels with a depth that is believed."""
    maps: int | None = None
    """Maps that were written."""
    doubtful: float | None = None
    """Pixels with a depth that too few views agree with."""
    seconds_per_map: float | None = None
    seed: int | None = None
    """Of all random choices."""
    matched: float | None = None
    """Pixels that stereo itself matched, without what was filled in."""
    agreeing_views: float | None = None
    """Views that agree with a depth, on average."""
    source_views: float | None = None
    """Views that each map was matched with, on average."""
    colmap: str | None = None
    """Version of the COLMAP in the container."""
    estimated: float | None = None
    """Pixels whose depth a learned model filled in; None where that was not asked for."""
    not_filled: str | None = None
    """Why holes were not filled though that was asked for."""
    model: str | None = None
    """File of the learned model."""
    provider: str | None = None
    """What ONNX Runtime ran the model on."""
    aligned: int | None = None
    """Estimates that could be fitted to the points."""
    aligned_inliers: float | None = None
    """Fraction of the points that the fits hold for, on average."""
    flat: bool | None = None
    """True where there is no depth, but a flat card."""


@report_record
class DepthScript:
    """What was written for COLMAP in a container."""

    views: int
    """Views that share enough points with another."""
