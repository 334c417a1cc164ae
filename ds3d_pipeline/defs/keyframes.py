"""The frames worth reconstructing."""

import dagster as dg
from pydantic import Field

from ds3d_pipeline.defs.materialize import StageConfig, materialize, prefer_field, stage_asset
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.storage.bundles import Bundle


class KeyframesConfig(StageConfig):
    """How many frames are kept, and at what size."""

    prefer: str | None = prefer_field("keyframes")
    max_frames: int | None = Field(default=None, description="Most keyframes of a video.")
    max_photos: int | None = Field(default=None, description="Most photos.")
    max_side_px: int | None = Field(default=None, description="Longer side of a keyframe in pixels.")
    max_gap_s: float | None = Field(default=None, description="Longest time between two keyframes.")
    motion_fraction: float | None = Field(
        default=None, description="Image motion between keyframes as a fraction of the diagonal."
    )


@stage_asset("keyframes")
def keyframes(
    context: dg.AssetExecutionContext, config: KeyframesConfig, mode: ModeResource, capture: Bundle
) -> dg.MaterializeResult:
    """The sharpest frame of every stretch of motion, upright and at the mode's size."""
    return materialize(context, "keyframes", config, mode, {"capture": capture})
