"""Runs whose process is gone: ended in the instance, their places in the pools and scratch folders freed.

Dagster's own run monitoring cannot see whether a run that it started on this machine, after a power cut for
instance; such a run would hold its place in the queue for ever.
"""

import shutil
from collections.abc import Callable

import dagster as dg

from ds3d_pipeline.containers.cleanup import sweep
from ds3d_pipeline.defs.asked import all_asked
from ds3d_pipeline.defs.instance import open_instance
from ds3d_pipeline.execution.heartbeat import is_going
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.storage.home import Home

CLEAN_JOB = "clean"
DELETE_JOB = "delete"
HOUSEKEEPING = (CLEAN_JOB, DELETE_JOB)
"""Jobs that make nothing."""
PARTITION_TAG = "dagster/partition"
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def find_running(home: Home) -> set[str]:
    """Ids of the runs that have not ended and make something; those whose process is gone are ended first.

    A command begins to write before Dagster knows its run.
    """
    with open_instance(home) as instance:
        end_dead_runs(instance, home)
        runs = instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED))
    begun = home.work.iterdir() if home.work.is_dir() else ()
    alive = {folder.name for folder in begun if is_going(folder)}
    return alive | {run.run_id for run in runs if run.job_name not in HOUSEKEEPING}


def find_run_of(home: Home, capture: str) -> str | None:
    """The run that makes this capture, or will; None where there is none."""
    with open_instance(home) as instance:
        end_dead_runs(instance, home)
        wanted = dg.RunsFilter(tags={PARTITION_TAG: capture}, statuses=UNFINISHED)
        return next((run.run_id for run in instance.get_runs(wanted, limit=1)), None)


_WORDS = {
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
    dg.DagsterRunStatus.SUCCESS: "unfinished",
    dg.DagsterRunStatus.QUEUED: "queued",
    dg.DagsterRunStatus.NOT_STARTED: "queued",
}


def latest_words(home: Home) -> dict[str, str]:
    """What became of the latest run of every capture that ever had one or waits for one, in one word."""
    with open_instance(home) as instance:
        end_dead_runs(instance, home)
        runs = instance.get_runs()
    tagged = [(run.tags.get(PARTITION_TAG), run.status) for run in reversed(runs)]
    going = {capture for capture, status in tagged if status in UNFINISHED}
    words = {capture: _WORDS.get(status, "running") for capture, status in tagged if capture}
    return words | {asked.capture: "queued" for asked in all_asked(home) if asked.capture not in going}


def errors_by_stage(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """What the failed steps of a run ended with, the whole text of each error."""
    found: dict[str, str] = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event is not None and event.step_key and event.step_failure_data.error is not None:
            found[event.step_key] = event.step_failure_data.error.to_string()
    return found


STATUS_TAG = "ds3d/status"
"""How the capture of a run came out: ok, degraded or failed."""
COMMAND_LINE_TAG = "ds3d/command_line"
"""Its value is the run's id, as a run that is taken up again gets the tags of the earlier one."""


def end_dead_runs(instance: dg.DagsterInstance, home: Home) -> list[str]:
    """Reports every run whose process is gone as failed, and returns their ids."""
    statuses = [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ]
    ended = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=statuses)):
        if run_journal(home, run.run_id).is_going() is False:
            instance.report_run_failed(run, "The process that ran this disappeared.")
            forget_work(instance, home, run.run_id)
            ended.append(run.run_id)
    return ended


def has_ended(instance: dg.DagsterInstance) -> Callable[[str], bool]:
    """Says of a run's id whether the run is over, or was never one of this instance."""

    def ended(run_id: str) -> bool:
        run = instance.get_run_by_id(run_id)
        return run is None or run.is_finished

    return ended


def forget_work(instance: dg.DagsterInstance, home: Home, run_id: str) -> None:
    """Removes what a run that has ended left: containers, its places in the pools and its scratch folder."""
    sweep(home, has_ended(instance))
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    shutil.rmtree(home.work / run_id, ignore_errors=True)
