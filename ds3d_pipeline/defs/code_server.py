"""The code location as a service: `python -m ds3d_pipeline.defs.code_server [options of dagster api grpc]`.

The runs that it launches are its own processes. One that starts has none yet, so those that still count as
going on were taken down with its predecessor, which nothing else in Dagster notices.
"""

import os
import sys

import dagster as dg

from ds3d_pipeline.defs.survivors import PID_TAG, forget_work
from ds3d_pipeline.home import Home, prepare_home

_BEGUN = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def end_lost_runs(instance: dg.DagsterInstance, home: Home) -> list[str]:
    """Ends the runs of an earlier code location, not those of the command line; returns their ids.

    They count as failed, so that the daemon's run retries take them up, or as cancelled where that was asked.
    """
    begun = instance.get_runs(filters=dg.RunsFilter(statuses=_BEGUN))
    lost = [run for run in begun if PID_TAG not in run.tags]
    for run in lost:
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run)
        else:
            instance.report_run_failed(run, "The code location was stopped while this ran.")
        forget_work(instance, home, run.run_id)
    return [run.run_id for run in lost]


def main(options: list[str]) -> None:
    """Ends lost runs, then becomes Dagster's gRPC server."""
    home = prepare_home()
    with dg.DagsterInstance.get() as instance:
        end_lost_runs(instance, home)
    command = [sys.executable, "-m", "dagster", "api", "grpc", "-m", "ds3d_pipeline.definitions", *options]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main(sys.argv[1:])
