"""The runs that still go on, and how the latest ones ended."""

import dagster as dg

from ds3d_pipeline.defs.survivors import end_dead_runs
from ds3d_pipeline.home import Home

CLEAN_JOB = "clean"
PARTITION_TAG = "dagster/partition"
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def find_running(home: Home) -> set[str]:
    """Ids of the runs that have not ended and make something; those whose process is gone are ended first."""
    with dg.DagsterInstance.get() as instance:
        end_dead_runs(instance, home)
        runs = instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED))
    return {run.run_id for run in runs if run.job_name != CLEAN_JOB}


_WORDS = {
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
    dg.DagsterRunStatus.SUCCESS: "unfinished",
    dg.DagsterRunStatus.QUEUED: "queued",
    dg.DagsterRunStatus.NOT_STARTED: "queued",
}


def latest_words(home: Home) -> dict[str, str]:
    """What became of the latest run of every capture that ever had one, in one word."""
    with dg.DagsterInstance.get() as instance:
        end_dead_runs(instance, home)
        runs = instance.get_runs()
    tagged = [(run.tags.get(PARTITION_TAG), run.status) for run in reversed(runs)]
    return {capture: _WORDS.get(status, "running") for capture, status in tagged if capture}
