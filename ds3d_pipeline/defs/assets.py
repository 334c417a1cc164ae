"""The assets, one a stage. What each of them takes is in its options record, how it is made in its ladder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import dagster as dg

from ds3d_pipeline.defs.config import StageConfig, UploadConfig, checked_options, stage_config
from ds3d_pipeline.defs.materialize import materialize, result_of, stage_asset
from ds3d_pipeline.defs.metadata import describe, reasons_table
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.defs.runs import STATUS_TAG
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.execution.freshness import fingerprint
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.intake.disk_space import check_space
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.faults import in_words
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_capture
from ds3d_pipeline.storage.bundles import Attempt, Bundle, StageReport, seal
from ds3d_pipeline.storage.home import outputs_folder, prepare_home
from ds3d_pipeline.storage.published import publishing
from ds3d_pipeline.storage.registrations import Request, content_versions, upload_files


def configured(stage: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives an asset's body the config that is made from its stage's options."""

    def decorate(body: Callable[..., Any]) -> Callable[..., Any]:
        body.__annotations__["config"] = stage_config(stage)
        return body

    return decorate


def stage(body: Callable[..., Any]) -> dg.AssetsDefinition:
    """The decorator of a stage's body, which is named as the stage is; all else is on the stage's card."""
    name = body.__name__
    return stage_asset(name)(configured(name)(body))


@stage
def capture(
    context: dg.AssetExecutionContext, config: StageConfig, mode: ModeResource
) -> dg.MaterializeResult:
    """The video or photos, checked, with camera and time from their files."""
    home, key = prepare_home(), context.partition_key
    bounds, inputs = checked_options(context, "capture", config, mode), cast(UploadConfig, config).inputs
    options = {stage: mode.resolve(context).options(stage) for stage in STAGES}
    try:
        if inputs:
            accept([Path(path) for path in inputs], bounds, key)
        files = upload_files(home, key)
        check_space(home, outputs_folder(home), read_json(files["request.json"], Request), options)
    except StageError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return materialize(context, "capture", config, mode, {}, files, content_versions(files))


@stage
def keyframes(
    context: dg.AssetExecutionContext, config: StageConfig, mode: ModeResource, capture: Bundle
) -> dg.MaterializeResult:
    """The sharpest frame of every stretch of motion, upright and scaled to the mode's size."""
    return materialize(context, "keyframes", config, mode, {"capture": capture})


@stage
def poses(
    context: dg.AssetExecutionContext, config: StageConfig, mode: ModeResource, keyframes: Bundle
) -> dg.MaterializeResult:
    """Camera poses, intrinsics and sparse points in COLMAP's format, with undistorted images."""
    return materialize(context, "poses", config, mode, {"keyframes": keyframes})


@stage
def depth_maps(
    context: dg.AssetExecutionContext, config: StageConfig, mode: ModeResource, poses: Bundle
) -> dg.MaterializeResult:
    """Depth, normals and confidence of every aligned keyframe, in COLMAP's dense format."""
    return materialize(context, "depth_maps", config, mode, {"poses": poses})


@stage
def pointcloud(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    mode: ModeResource,
    poses: Bundle,
    depth_maps: Bundle,
) -> dg.MaterializeResult:
    """Coloured points with normals."""
    return materialize(context, "pointcloud", config, mode, {"poses": poses, "depth_maps": depth_maps})


@stage
def mesh(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    mode: ModeResource,
    poses: Bundle,
    depth_maps: Bundle,
    pointcloud: Bundle,
) -> dg.MaterializeResult:
    """A textured triangle mesh as glTF, Y up."""
    inputs = {"poses": poses, "depth_maps": depth_maps, "pointcloud": pointcloud}
    return materialize(context, "mesh", config, mode, inputs)


@stage
def splat(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    mode: ModeResource,
    poses: Bundle,
    pointcloud: Bundle,
) -> dg.MaterializeResult:
    """A 3D Gaussian splat in the 3DGS PLY convention."""
    return materialize(context, "splat", config, mode, {"poses": poses, "pointcloud": pointcloud})


@stage
def metrics(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    mode: ModeResource,
    capture: Bundle,
    keyframes: Bundle,
    poses: Bundle,
    depth_maps: Bundle,
    pointcloud: Bundle,
    mesh: Bundle,
    splat: Bundle,
) -> dg.MaterializeResult:
    """Status, reasons and numbers of a capture; publishes its files."""
    made = (capture, keyframes, poses, depth_maps, pointcloud, mesh, splat)
    bundles = {bundle.report.stage: bundle for bundle in made}
    options = checked_options(context, "metrics", config, mode)
    story = Story(capture=context.partition_key, mode=mode.resolve_name(context))
    home = prepare_home()
    journal = run_journal(home, context.run.run_id)
    try:
        with publishing(home, story.capture, Path(options.output)):
            content = publish_capture(story, bundles, Path(options.output))
    except (OSError, StageError) as error:
        reason = f"The files could not be published. {in_words(error, (Path(options.output), home.root))}"
        journal.record("metrics", Attempt(backend="local", outcome=Outcome.FAILED, reason=reason))
        raise dg.Failure(reason, allow_retries=False) from error
    folder = clear_folder(home.work / context.run.run_id / "metrics" / "output")
    write_json(folder / "metrics.json", content)
    report = StageReport(
        stage="metrics",
        backend="local",
        attempts=(Attempt(backend="local", outcome=Outcome.OK),),
        seconds=0.0,
        peak_memory_mb=0.0,
        fingerprint=fingerprint(
            "metrics", options, None, {name: bundle.data_version for name, bundle in bundles.items()}
        ),
        result={"status": content["status"], "reasons": content["reasons"]},
    )
    bundle = seal(folder, report)
    journal.finish(content)
    metadata = {"status": content["status"], "reasons": reasons_table(content["reasons"]), **describe(bundle)}
    metadata["metrics"] = dg.MetadataValue.json(content)
    published = Path(options.output).absolute() / story.capture
    metadata |= {
        "output": dg.MetadataValue.path(str(published)),
        "report": dg.MetadataValue.path(str(published / "report.html")),
        "total_seconds": content["total_seconds"],
    }
    context.instance.add_run_tags(context.run.run_id, {STATUS_TAG: content["status"]})
    return result_of(bundle, metadata)
