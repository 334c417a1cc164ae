"""The Gaussian splat."""

import dagster as dg
from pydantic import Field

from ds3d_pipeline.defs.materialize import StageConfig, materialize, prefer_field, stage_asset
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.storage.bundles import Bundle


class SplatConfig(StageConfig):
    """Size and training of the splat."""

    prefer: str | None = prefer_field("splat")
    train: bool | None = Field(
        default=None, description="Whether to train; without it the light splat is made."
    )
    max_gaussians: int | None = Field(default=None, description="Most Gaussians.")
    max_side_px: int | None = Field(default=None, description="Longer side of the training images in pixels.")
    iterations: int | None = Field(default=None, description="Training steps.")
    max_seconds: float | None = Field(default=None, description="Training ends after this long.")
    sh_degree: int | None = Field(
        default=None, description="Highest degree of view-dependent colour, 0 to 3."
    )
    holdout_every: int | None = Field(default=None, description="Every n-th keyframe is kept for the score.")
    exposure: bool | None = Field(default=None, description="Whether to learn each photo's exposure.")
    mip_filter: bool | None = Field(
        default=None, description="Whether to limit Gaussians to a photo's detail."
    )
    early_stop: bool | None = Field(
        default=None, description="Whether to end when the held-out score rises no more."
    )
    join_heldout: bool | None = Field(
        default=None, description="Whether to train a little on all photos after scoring."
    )
    checkpoint_s: float | None = Field(default=None, description="Seconds between checkpoints.")
    seed: int | None = Field(default=None, description="Seed of all random choices.")


@stage_asset("splat")
def splat(
    context: dg.AssetExecutionContext,
    config: SplatConfig,
    mode: ModeResource,
    poses: Bundle,
    pointcloud: Bundle,
) -> dg.MaterializeResult:
    """A 3D Gaussian splat in the 3DGS PLY convention."""
    return materialize(context, "splat", config, mode, {"poses": poses, "pointcloud": pointcloud})
