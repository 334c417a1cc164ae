"""The runs of a home as facts of its jobs: those of Dagster, and those that wait at the command line."""

from __future__ import annotations

import dagster as dg
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RUN_KEY_TAG, WILL_RETRY_TAG

from ds3d_pipeline.defs.asked import all_asked, is_unwanted
from ds3d_pipeline.defs.launch import UPLOAD_TAG, request_of
from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG, PARTITION_TAG
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.web.status import RunFacts, State

STATES: dict[dg.DagsterRunStatus, State] = {
    dg.DagsterRunStatus.STARTING: "starting",
    dg.DagsterRunStatus.STARTED: "running",
    dg.DagsterRunStatus.CANCELING: "cancelling",
    dg.DagsterRunStatus.CANCELED: "cancelled",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.SUCCESS: "finished",
}


def facts_of(home: Home, record: dg.RunRecord) -> RunFacts:
    """Of a run that has a capture."""
    run = record.dagster_run
    return RunFacts(
        run_id=run.run_id,
        run_key=run.tags.get(RUN_KEY_TAG, ""),
        capture=run.tags[PARTITION_TAG],
        name=run.tags.get(UPLOAD_TAG, ""),
        mode=request_of(run.run_config, run.tags).mode,
        state=_state(home, run),
        needs_daemon=run.tags.get(COMMAND_LINE_TAG) != run.run_id,
        created_at=record.create_timestamp.timestamp(),
        started_at=record.start_time,
        ended_at=record.end_time,
        stages=_stages(run),
    )


def _state(home: Home, run: dg.DagsterRun) -> State:
    state = STATES.get(run.status, "queued")
    if state == "failed" and _is_taken_up(run):
        return "queued"
    if state in ("failed", "running", "starting") and run_journal(home, run.run_id).is_cancelled():
        return "cancelled" if state == "failed" else "cancelling"
    return state


def waiting_facts(home: Home) -> list[RunFacts]:
    """What the command line was asked for, whether or not its run has begun; newest first."""
    return [
        RunFacts(
            run_id=asked.id,
            run_key="",
            capture=asked.capture,
            name=asked.upload,
            mode=asked.mode,
            state="cancelling" if is_unwanted(home, asked) else "queued",
            needs_daemon=False,
            created_at=asked.at,
        )
        for asked in reversed(all_asked(home))
    ]


def is_being_made(run: dg.DagsterRun) -> bool:
    """Whether a run is about to be queued; one of the command line never is."""
    is_own = run.tags.get(COMMAND_LINE_TAG) == run.run_id
    return run.status == dg.DagsterRunStatus.NOT_STARTED and not is_own


def _is_taken_up(run: dg.DagsterRun) -> bool:
    """Whether Dagster will start a run that goes on from where this one ended, and has not yet."""
    return run.tags.get(WILL_RETRY_TAG) == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags


def _stages(run: dg.DagsterRun) -> frozenset[str]:
    """The stages that a run makes: of one that goes on for another, those that were left."""
    if run.step_keys_to_execute:
        return frozenset(run.step_keys_to_execute)
    if run.asset_selection:
        return frozenset(key.path[-1] for key in run.asset_selection)
    return frozenset(STAGES)
