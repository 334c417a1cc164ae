"""What the depth stage reports."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record


@report_record
class DepthReport:
    """The depth maps. Coverages are fractions of the pixels of all maps."""

    coverage: float
    """Pixels with certain depth, measured or estimated."""
    maps: int | None = None
    """Maps that were written."""
    uncertain: float | None = None
    """Pixels whose depth too few other views support."""
    seconds_per_map: float | None = None
    seed: int | None = None
    """Of all random choices."""
    matched: float | None = None
    """Pixels that stereo itself matched, without filled-in ones."""
    agreeing_views: float | None = None
    """Views that agree with a depth, on average."""
    source_views: float | None = None
    """Views that each map was matched with, on average."""
    colmap: str | None = None
    """Version of the COLMAP in the container."""
    estimated: float | None = None
    """Of these, those that a learned model or interpolation gave; None where all are measured."""
    not_filled: str | None = None
    """Why holes were not filled although that was requested."""
    model: str | None = None
    """File of the learned model."""
    provider: str | None = None
    """What ONNX Runtime ran the model on."""
    aligned: int | None = None
    """Estimates that could be fitted to the sparse points."""
    aligned_inliers: float | None = None
    """Fraction of the points that the fits explain, on average."""
    flat: bool | None = None
    """True if there is no depth, only the photo on a flat rectangle."""

    @property
    def measured(self) -> float:
        """Pixels with certain depth that is neither estimated nor interpolated."""
        return 0.0 if self.flat else self.coverage - (self.estimated or 0)


@report_record
class DepthScript:
    """The files written for COLMAP in a container."""

    views: int
    """Views with enough points in common with another."""
