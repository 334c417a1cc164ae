"""The options of the point cloud stage, and of the fusion in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ds3d_pipeline.programs.options import Fraction, options_record


@options_record
class FusionOptions:
    """When depth maps agree."""

    min_views: Annotated[int, Field(ge=1, le=100)] = 3
    """Views that must agree on a point; two are enough where few can see it (see `min_fraction`)."""
    min_fraction: Fraction = 0.6
    """Two views are enough if they are this fraction of all that could see the point."""
    max_neighbours: Annotated[int, Field(ge=1, le=1000)] = 12
    """Maximum number of other views that each depth map is compared with."""
    depth_tolerance: Fraction = 0.01
    """Maximum relative difference in depth."""
    reprojection_tolerance_px: Annotated[float, Field(ge=0, le=100)] = 2.0
    """Maximum distance between a pixel and its match projected back, in pixels of the map."""
    normal_tolerance_deg: Annotated[float, Field(ge=0, le=180)] = 60.0
    """Maximum angle between normals; wide, because normals are less accurate than depth."""


@options_record
class PointcloudOptions:
    """Fusion of depth maps."""

    max_points: Annotated[int, Field(ge=50, le=100_000_000)] = 2_000_000
    """Maximum number of points."""
    fusion: FusionOptions = FusionOptions()
    fusion_of_interpolated: FusionOptions = FusionOptions(
        min_views=2, depth_tolerance=0.02, reprojection_tolerance_px=4.0
    )
    # Interpolated maps are smooth guesses that agree only roughly.
