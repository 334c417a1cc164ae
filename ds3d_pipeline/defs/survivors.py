"""Runs whose process is gone: ended in the instance, their places in the pools and scratch folders freed."""

import os
import shutil
import socket

import dagster as dg
import psutil

from ds3d_pipeline.home import Home

PID_TAG = "ds3d/process"


def own_mark() -> str:
    """This process, told apart from a later one of the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def _is_gone(mark: str) -> bool:
    host, pid, created = mark.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != created
    except psutil.NoSuchProcess:
        return True


def end_dead_runs(instance: dg.DagsterInstance, home: Home) -> None:
    """Reports every run that a killed command line left behind as failed."""
    statuses = [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ]
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=statuses)):
        if PID_TAG in run.tags and _is_gone(run.tags[PID_TAG]):
            instance.report_run_failed(run, "The process that ran this disappeared.")
            forget_work(instance, home, run.run_id)


def forget_work(instance: dg.DagsterInstance, home: Home, run_id: str) -> None:
    """Frees the places in the pools and the scratch folder of a run that has ended."""
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    shutil.rmtree(home.work / run_id, ignore_errors=True)
