"""The watched folder."""

import dagster as dg

from ds3d_pipeline.defs.jobs import captures, reconstruct_jobs
from ds3d_pipeline.defs.launch import launch_of
from ds3d_pipeline.execution.freshness import find_fresh
from ds3d_pipeline.intake.watched.entries import uploads_folder
from ds3d_pipeline.intake.watched.ledger import QueuedRequest
from ds3d_pipeline.intake.watched.reading import Reader
from ds3d_pipeline.intake.watched.scan import Look, Patience, look
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.settings import read_seconds
from ds3d_pipeline.storage.home import Home, prepare_home

EVERY_S = read_seconds("DS3D_UPLOADS_EVERY_S", 15)
LINES_SHOWN = 40
READER = Reader()
"""Of this process: what one tick began to read the next one gets."""


@dg.sensor(
    jobs=reconstruct_jobs,
    minimum_interval_seconds=EVERY_S,
    # On from the start: a watched folder that nobody watches helps no one, and an empty one costs nothing.
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run for each video, photo folder or zip in the upload folder.",
)
def capture_uploads(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Every tick reports what happened to each upload, or what it waits for."""
    home = prepare_home()
    confirmed = int(context.cursor) if context.cursor else None
    # A tick comes a little early now and then; it is a whole tick all the same.
    found = look(home, uploads_folder(home), confirmed, Patience(quiet_s=0.9 * EVERY_S), READER)
    lines = _lines(found, home)
    context.log.info(lines)
    if not found.queued:
        return dg.SensorResult(skip_reason=lines, cursor=str(found.generation))
    keys = [queued.request.capture for queued in found.queued]
    return dg.SensorResult(
        run_requests=[_run_request(home, queued) for queued in found.queued],
        dynamic_partitions_requests=[captures.build_add_request(keys)],
        cursor=str(found.generation),
    )


def _lines(found: Look, home: Home) -> str:
    lines = found.lines[:LINES_SHOWN] or (f"The upload folder is empty ({uploads_folder(home)}).",)
    more = len(found.lines) - len(lines)
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


def _run_request(home: Home, queued: QueuedRequest) -> dg.RunRequest:
    """Of a capture that was made before, in another mode for instance, only what is stale runs."""
    request = queued.request
    fresh = find_fresh(home, request.capture, request.all_options(), request.prefer)
    stale = [stage for stage in STAGES if stage not in fresh]
    launch = launch_of(request, stale, {stage: stored.version for stage, stored in fresh.items()})
    return dg.RunRequest(
        run_key=queued.run_key,
        job_name=launch.job_name,
        partition_key=request.capture,
        run_config=launch.run_config,
        tags=launch.tags,
        asset_selection=[dg.AssetKey(stage) for stage in stale] if fresh else None,
    )
