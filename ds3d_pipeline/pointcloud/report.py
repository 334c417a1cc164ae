"""What the pointcloud stage reports."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record


@report_record
class PointcloudReport:
    """The point cloud."""

    points: int
    """Points kept."""
    source: str = "fused"
    """What they are made of: fused, fused and sparse, or sparse."""
    fused: int | None = None
    """Points after fusion, before outliers were removed."""
