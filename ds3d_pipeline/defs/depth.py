"""Depth of every keyframe, and the points fused from it."""

import dagster as dg
from pydantic import Field

from ds3d_pipeline.defs.materialize import StageConfig, materialize, prefer_field, stage_asset
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.storage.bundles import Bundle


class DepthConfig(StageConfig):
    """Dense depth."""

    prefer: str | None = prefer_field("depth_maps")
    max_side_px: int | None = Field(default=None, description="Longer side of a depth map in pixels.")
    source_views: int | None = Field(
        default=None, description="Neighbouring views that each map is matched with."
    )
    seed: int | None = Field(default=None, description="Seed of all random choices.")
    model: str | None = Field(
        default=None, description="ONNX depth model: a file, or owner/repository@revision:file."
    )
    model_sha256: str | None = Field(default=None, description="What the model's file must hash to.")
    model_gives_depth: bool | None = Field(
        default=None, description="Whether larger numbers of the model are further, not nearer."
    )
    model_side_px: int | None = Field(default=None, description="Shorter side of the model's picture.")
    model_multiple_px: int | None = Field(
        default=None, description="Sides of the model's picture are multiples of this."
    )
    model_colors: str | None = Field(
        default=None, description="How the model wants colours: imagenet, symmetric or unit."
    )
    fetch_model: bool | None = Field(default=None, description="Whether a run may download a missing model.")
    fill_holes: bool | None = Field(
        default=None, description="Whether holes of stereo get the model's estimate where it fits."
    )


class PointcloudConfig(StageConfig):
    """Fusion."""

    prefer: str | None = prefer_field("pointcloud")
    max_points: int | None = Field(default=None, description="Most points kept.")


@stage_asset("depth_maps")
def depth_maps(
    context: dg.AssetExecutionContext, config: DepthConfig, mode: ModeResource, poses: Bundle
) -> dg.MaterializeResult:
    """Depth, normals and confidence of every registered keyframe in COLMAP's dense format."""
    return materialize(context, "depth_maps", config, mode, {"poses": poses})


@stage_asset("pointcloud")
def pointcloud(
    context: dg.AssetExecutionContext,
    config: PointcloudConfig,
    mode: ModeResource,
    poses: Bundle,
    depth_maps: Bundle,
) -> dg.MaterializeResult:
    """Coloured points with normals."""
    return materialize(context, "pointcloud", config, mode, {"poses": poses, "depth_maps": depth_maps})
