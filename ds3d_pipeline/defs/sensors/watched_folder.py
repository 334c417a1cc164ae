"""The watched folder."""

from collections.abc import Sequence
from functools import partial

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from ds3d_pipeline.defs.jobs import reconstruct_jobs
from ds3d_pipeline.defs.sensors.requests import dagster_requests
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.intake.watched.entries import uploads_folder
from ds3d_pipeline.intake.watched.reading import Reader
from ds3d_pipeline.intake.watched.scan import scan
from ds3d_pipeline.intake.watched.timing import Pace
from ds3d_pipeline.programs.faults import explain
from ds3d_pipeline.programs.settings import read_seconds
from ds3d_pipeline.storage.home import Home, prepare_home

EVERY_S = read_seconds("DS3D_UPLOADS_EVERY_S", 15)
LINES_SHOWN = 40
_WITHOUT_RESULT = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
READER = Reader()
"""Of this process: what one tick began to read the next one gets."""


@dg.sensor(
    jobs=reconstruct_jobs,
    minimum_interval_seconds=EVERY_S,
    # On from the start: a watched folder that nobody watches helps no one, and an empty one costs nothing.
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run for each video, photo folder or zip in the upload folder.",
)
def capture_uploads(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Every tick reports what happened to each upload, or what it waits for."""
    home = prepare_home()
    try:
        return _tick(context, home)
    except (StageError, OSError) as error:
        # The folder or the home as a whole: nothing was given to Dagster, and the next tick tries again.
        known = explain(error, [home.root, uploads_folder(home)])
        if known is None:
            raise
        context.log.warning(str(known))
        return dg.SkipReason(str(known))


def _tick(context: dg.SensorEvaluationContext, home: Home) -> dg.SensorResult:
    confirmed = int(context.cursor) if context.cursor else None
    # A tick comes a little early now and then; it is a whole tick all the same.
    pace = Pace(quiet_s=0.9 * EVERY_S)
    found = scan(home, uploads_folder(home), confirmed, pace, READER, partial(_has_failed, context.instance))
    asked = dagster_requests(home, {queued.run_key: queued.request for queued in found.queued})
    lines = _lines([*asked.troubles, *found.lines], home)
    context.log.info(lines)
    # What could not be asked for is asked for again, and with it what has been: its run key sees to that.
    cursor = context.cursor if asked.troubles else str(found.generation)
    if not asked.requests:
        return dg.SensorResult(skip_reason=lines, cursor=cursor)
    return dg.SensorResult(
        run_requests=asked.requests,
        dynamic_partitions_requests=[asked.partitions],
        cursor=cursor,
    )


def _has_failed(instance: dg.DagsterInstance, run_key: str) -> bool:
    """Whether every run of this key, and every later try of one, has ended without a result."""
    runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: run_key}))
    groups = [instance.get_run_group(run.run_id) for run in runs]
    tries = [run for group in groups if group for run in group[1]]
    return bool(tries) and all(run.status in _WITHOUT_RESULT for run in tries)


def _lines(found: Sequence[str], home: Home) -> str:
    lines = found[:LINES_SHOWN] or [f"The upload folder is empty ({uploads_folder(home)})."]
    more = len(found) - len(lines)
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)
