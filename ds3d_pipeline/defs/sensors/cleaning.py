"""Cleaning without being asked: the job, and the sensor that starts it where there is something to do."""

import dagster as dg

from ds3d_pipeline.defs.runs import CLEAN_JOB, end_dead_runs, find_running
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.leftovers import Leftover, drop, find_old_leftovers

EVERY_S = 3600
KEPT_S = 3600.0
"""How long the scratch folder of a failed run is kept for inspection."""


@dg.op(description="Deletes old intermediate files: superseded bundles and scratch folders of ended runs.")
def drop_leftovers(context: dg.OpExecutionContext) -> None:
    """As `ds3d clean --yes` does."""
    dropped = [leftover for leftover in _due() if drop(leftover)]
    freed = sum(leftover.bytes for leftover in dropped)
    context.log.info("\n".join([f"Freed {freed / 1e6:.1f} MB.", *(str(d.path) for d in dropped)]))
    context.add_output_metadata({"freed_bytes": freed, "folders": len(dropped)})


@dg.job(name=CLEAN_JOB, description="Deletes old intermediate files that nothing refers to any more.")
def clean() -> None:
    """One step; while a run goes on only the scratch of others is removed."""
    drop_leftovers()


@dg.sensor(
    job=clean,
    minimum_interval_seconds=EVERY_S,
    # On from the start: it takes only what nothing can read any more, and a full disk fails every run.
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deletes old intermediate files every hour.",
)
def leftovers() -> dg.RunRequest | dg.SkipReason:
    """Checks once an hour."""
    found = _due()
    if not found:
        return dg.SkipReason("Nothing to clean up.")
    return dg.RunRequest()


@dg.sensor(
    minimum_interval_seconds=30,
    # On from the start: a run that died unnoticed keeps its place in the queue.
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs whose process has died as failed, so that they are retried.",
)
def lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Starts nothing itself: Dagster's run retries do."""
    ended = end_dead_runs(context.instance, prepare_home())
    return dg.SkipReason(f"Marked as failed: {', '.join(ended)}." if ended else "All runs are alive.")


def _due() -> list[Leftover]:
    home = prepare_home()
    return find_old_leftovers(home, find_running(home), KEPT_S)
