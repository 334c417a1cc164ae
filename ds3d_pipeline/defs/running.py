"""The runs that still go on."""

import dagster as dg

from ds3d_pipeline.defs.survivors import end_dead_runs
from ds3d_pipeline.home import Home

UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def find_running(home: Home) -> set[str]:
    """Ids of the runs that have not ended; those whose process is gone are ended first."""
    with dg.DagsterInstance.get() as instance:
        end_dead_runs(instance, home)
        return {run.run_id for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED))}
