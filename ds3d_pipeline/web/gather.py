"""The facts of one job, gathered from the files of the home; what Dagster knows is handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ds3d_pipeline.execution.forecast import expected_seconds
from ds3d_pipeline.execution.history import Timing, workload_of
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.intake.orders import Order
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.inventory import capture_names, latest_metrics
from ds3d_pipeline.storage.registrations import is_registered
from ds3d_pipeline.web.published import find_failure
from ds3d_pipeline.web.stages import published_stages, stages_after_end, stages_of_run
from ds3d_pipeline.web.status import (
    ENDED,
    Facts,
    OrderFacts,
    QueuePlace,
    RunFacts,
    StageStatus,
    waiting_stages,
)
from ds3d_pipeline.web.words import read_word


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What the files of the home do not tell."""

    order: Order | None
    """Only as long as no run was started for it."""
    run: RunFacts | None
    queue: QueuePlace | None
    has_daemon: bool
    is_alone: bool
    """Whether no other capture is worked on."""
    history: Sequence[Timing]


def is_job(home: Home, name: str) -> bool:
    """Whether the home knows a capture of this name; it may be any text."""
    return is_registered(home, name) or name in capture_names(home)


def registered_at(home: Home, job: str) -> float:
    """Seconds since 1970; 0 of a capture whose registration is gone."""
    folder = home.registered / job
    return folder.stat().st_mtime if folder.is_dir() else 0.0


def gather(home: Home, job: str, outside: Outside) -> Facts:
    """All that is known of a job."""
    order, run = outside.order, outside.run
    metrics = _metrics(home, job, run)
    stages = _stages(home, job, run, metrics)
    mode = order.request.mode if order else run.mode if run else DEFAULT_MODE
    return Facts(
        job_id=job,
        name=(order.request.upload if order else run.name if run else "") or job,
        registered_at=registered_at(home, job),
        order=_order_facts(order) if order else None,
        run=run,
        word=read_word(home, job),
        stages=stages,
        metrics=metrics,
        queue=outside.queue,
        has_daemon=outside.has_daemon,
        is_alone=outside.is_alone,
        expected=_expected(home, job, mode, stages, outside.history),
    )


def _order_facts(order: Order) -> OrderFacts:
    return OrderFacts(capture=order.request.capture, mode=order.request.mode, asked_at=order.asked_at)


def _metrics(home: Home, job: str, run: RunFacts | None) -> Mapping[str, Any] | None:
    if run is not None and run.state not in ENDED:
        return None
    if run is None or run.state == "finished":
        return latest_metrics(home, job)
    failure = find_failure(home, job)
    return failure.metrics if failure else None


def _stages(
    home: Home, job: str, run: RunFacts | None, metrics: Mapping[str, Any] | None
) -> tuple[StageStatus, ...]:
    if run is None:
        return waiting_stages() if metrics is None else published_stages(metrics)
    journal = run_journal(home, run.run_id)
    if run.state in ENDED:
        return stages_after_end(home, job, journal, run.stages, metrics)
    return stages_of_run(home, job, journal, run.stages)


def _expected(
    home: Home, job: str, mode: str, stages: Sequence[StageStatus], history: Sequence[Timing]
) -> dict[str, float]:
    """How long each stage should take, by what is known of the capture."""
    is_made = any(state.stage == "keyframes" and state.state in ("done", "reused") for state in stages)
    work = workload_of(home, job, mode, vars(MODES[mode]), has_keyframes=is_made)
    return expected_seconds(mode, work, history)
