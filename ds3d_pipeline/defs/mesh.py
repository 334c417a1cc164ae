"""The surface."""

import dagster as dg
from pydantic import Field

from ds3d_pipeline.defs.materialize import StageConfig, materialize, prefer_field, stage_asset
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.storage.bundles import Bundle


class MeshConfig(StageConfig):
    """Surface, decimation and texture."""

    prefer: str | None = prefer_field("mesh")
    poisson_depth: int | None = Field(default=None, description="Depth of the Poisson octree: detail.")
    max_faces: int | None = Field(default=None, description="Most triangles of the finished mesh.")
    texture_px: int | None = Field(default=None, description="Longest side; 0 keeps vertex colours.")
    max_megabytes: float | None = Field(default=None, description="Size of the finished file.")


@stage_asset("mesh")
def mesh(
    context: dg.AssetExecutionContext,
    config: MeshConfig,
    mode: ModeResource,
    poses: Bundle,
    depth_maps: Bundle,
    pointcloud: Bundle,
) -> dg.MaterializeResult:
    """A textured triangle mesh as glTF, Y up."""
    inputs = {"poses": poses, "depth_maps": depth_maps, "pointcloud": pointcloud}
    return materialize(context, "mesh", config, mode, inputs)
