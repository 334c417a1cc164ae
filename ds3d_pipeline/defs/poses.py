"""Where every keyframe was taken from."""

from dataclasses import replace

import dagster as dg
from pydantic import Field

from ds3d_pipeline.defs.materialize import StageConfig, materialize, prefer_field, stage_asset
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.storage.bundles import Bundle


class PosesConfig(StageConfig):
    """Structure from motion."""

    prefer: str | None = prefer_field("poses")
    max_side_px: int | None = Field(default=None, description="Image size at which features are found.")
    max_features: int | None = Field(default=None, description="Most features of an image.")
    sequential_overlap: int | None = Field(
        default=None, description="Following frames a frame is matched with."
    )
    similar_frames: int | None = Field(
        default=None, description="Frames alike that a video frame is matched with."
    )
    exhaustive_up_to: int | None = Field(default=None, description="Match all pairs up to this many photos.")
    similar_photos: int | None = Field(default=None, description="Photos alike that a photo is matched with.")
    K: list[list[float]] | None = Field(
        default=None, description="Known intrinsics (3 x 3) in pixels of the source files; kept fixed."
    )
    min_registered: int | None = Field(default=None, description="Fewer placed frames are a failure.")
    seed: int | None = Field(default=None, description="Seed of all random choices.")

    def apply(self, options: PosesOptions) -> PosesOptions:
        """As for every stage, with the rows of K frozen."""
        applied = super().apply(options)
        return replace(applied, K=tuple(map(tuple, applied.K))) if applied.K else applied


@stage_asset("poses")
def poses(
    context: dg.AssetExecutionContext, config: PosesConfig, mode: ModeResource, keyframes: Bundle
) -> dg.MaterializeResult:
    """Camera poses, intrinsics and sparse points in COLMAP's format, with undistorted images."""
    return materialize(context, "poses", config, mode, {"keyframes": keyframes})
