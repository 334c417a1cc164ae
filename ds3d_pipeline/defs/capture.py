"""The upload, checked and staged."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from ds3d_pipeline.capture.inputs import capture_sha256, check_upload
from ds3d_pipeline.defs.materialize import StageConfig, materialize, prefer_field, stage_asset
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.intake.disk_space import check_space
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.storage.home import outputs_folder, prepare_home
from ds3d_pipeline.storage.registrations import register_upload, registered_inputs, upload_files


class CaptureConfig(StageConfig):
    """Which files, and how much is accepted."""

    prefer: str | None = prefer_field("capture")
    inputs: list[str] | None = Field(
        default=None,
        description="Paths of one video, or of photos, a folder or a zip; empty takes the registered upload.",
    )
    max_files: int | None = Field(default=None, description="Most photos of one capture.")
    max_bytes: int | None = Field(default=None, description="Most bytes of one capture.")
    min_side_px: int | None = Field(default=None, description="Smaller pictures are refused.")


@stage_asset("capture")
def capture(
    context: dg.AssetExecutionContext, config: CaptureConfig, mode: ModeResource
) -> dg.MaterializeResult:
    """The user's video or photos, checked, with what their files tell of camera and time."""
    home = prepare_home()
    try:
        if config.inputs:
            paths = [Path(path) for path in config.inputs]
            register_upload(home, context.partition_key, paths, capture_sha256(check_upload(paths).files))
        files = upload_files(home, context.partition_key)
        options = {stage: mode.resolve(context).options(stage) for stage in STAGES}
        check_space(home, outputs_folder(home), registered_inputs(home, context.partition_key), options)
    except StageError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return materialize(context, "capture", config, mode, {}, files)
