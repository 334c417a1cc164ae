"""Cleaning without being asked: the job, and the sensor that starts it where there is something to do."""

import dagster as dg

from ds3d_pipeline.defs.runs import CLEAN_JOB, end_dead_runs, find_running
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.leftovers import Leftover, drop, find_old_leftovers

EVERY_S = 3600
KEPT_S = 3600.0
"""So long a failed run's scratch folder stays to be looked into."""


@dg.op(description="Removes superseded bundles, half published ones and the scratch of ended runs.")
def drop_leftovers(context: dg.OpExecutionContext) -> None:
    """As `ds3d clean --yes` does."""
    dropped = [leftover for leftover in _due() if drop(leftover)]
    freed = sum(leftover.bytes for leftover in dropped)
    context.log.info("\n".join([f"Freed {freed / 1e6:.1f} MB.", *(str(d.path) for d in dropped)]))
    context.add_output_metadata({"freed_bytes": freed, "folders": len(dropped)})


@dg.job(name=CLEAN_JOB, description="Frees the disk of what nothing refers to any more.")
def clean() -> None:
    """One step; while a run goes on only the scratch of others is removed."""
    drop_leftovers()


@dg.sensor(
    job=clean,
    minimum_interval_seconds=EVERY_S,
    # On from the start: it takes only what nothing can read any more, and a full disk fails every run.
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the job `clean` where superseded bundles or strays of ended runs lie about.",
)
def leftovers() -> dg.RunRequest | dg.SkipReason:
    """One look an hour."""
    found = _due()
    if not found:
        return dg.SkipReason("Nothing to clean.")
    return dg.RunRequest()


@dg.sensor(
    minimum_interval_seconds=30,
    # On from the start: a run that died unnoticed keeps its place in the queue.
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends the runs whose process is gone, after a power cut for instance; they are then retried.",
)
def lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Starts nothing itself: Dagster's run retries do."""
    ended = end_dead_runs(context.instance, prepare_home())
    return dg.SkipReason(f"Ended {', '.join(ended)}." if ended else "Every run has its process.")


def _due() -> list[Leftover]:
    home = prepare_home()
    return find_old_leftovers(home, find_running(home), KEPT_S)
