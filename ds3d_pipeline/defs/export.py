"""The finished capture: metrics and the folder of files."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from ds3d_pipeline.defs.materialize import StageConfig, stage_asset
from ds3d_pipeline.defs.metadata import describe
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.execution.freshness import fingerprint
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.metrics.build import Story
from ds3d_pipeline.metrics.publish import publish_capture
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.storage.bundles import Attempt, Bundle, StageReport, seal
from ds3d_pipeline.storage.home import prepare_home


class MetricsConfig(StageConfig):
    """Where the files go."""

    output: str | None = Field(default=None, description="Folder that receives `<capture>/`.")


@stage_asset("metrics")
def metrics(
    context: dg.AssetExecutionContext,
    config: MetricsConfig,
    mode: ModeResource,
    capture: Bundle,
    keyframes: Bundle,
    poses: Bundle,
    depth_maps: Bundle,
    pointcloud: Bundle,
    mesh: Bundle,
    splat: Bundle,
) -> dg.Output[Bundle]:
    """Status, reasons and numbers of a capture; publishes its files in one step."""
    made = (capture, keyframes, poses, depth_maps, pointcloud, mesh, splat)
    bundles = {bundle.report.stage: bundle for bundle in made}
    options = config.apply(mode.resolve(context).metrics)
    story = Story(capture=context.partition_key, mode=mode.resolve_name(context))
    try:
        told = publish_capture(story, bundles, Path(options.output))
    except (OSError, StageError) as error:
        raise dg.Failure(f"The files could not be published: {error}", allow_retries=False) from error
    home = prepare_home()
    folder = clear_folder(home.work / context.run.run_id / "metrics" / "output")
    write_json(folder / "metrics.json", told)
    report = StageReport(
        stage="metrics",
        backend="local",
        attempts=(Attempt(backend="local", outcome=Outcome.OK),),
        seconds=0.0,
        peak_memory_mb=0.0,
        fingerprint=fingerprint(
            "metrics", options, None, {name: bundle.data_version for name, bundle in bundles.items()}
        ),
        result={"status": told["status"], "reasons": " ".join(told["reasons"])},
    )
    bundle = seal(folder, report)
    run_journal(home, context.run.run_id).finish()
    metadata = describe(bundle) | {"metrics": dg.MetadataValue.json(told)}
    published = Path(options.output).absolute() / story.capture
    metadata |= {
        "output": dg.MetadataValue.path(str(published)),
        "report": dg.MetadataValue.path(str(published / "report.html")),
        "total_seconds": told["total_seconds"],
    }
    return dg.Output(bundle, data_version=dg.DataVersion(bundle.data_version), metadata=metadata)
