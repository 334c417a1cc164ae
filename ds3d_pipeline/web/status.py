"""What a job is doing, as one record: made of the order, the run, the journal and what was published.

Nothing here asks Dagster or reads a file: the facts are gathered in `jobs.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ds3d_pipeline.execution.costs import MADE
from ds3d_pipeline.execution.forecast import forecast, with_time_left
from ds3d_pipeline.execution.progress import StageState
from ds3d_pipeline.names import STAGES

State = Literal[
    "accepted",
    "queued",
    "starting",
    "running",
    "waiting",
    "cancelling",
    "finished",
    "failed",
    "cancelled",
]
"""`waiting` is for Dagster's daemon, which does not run."""
ENDED: tuple[State, ...] = ("finished", "failed", "cancelled")
BEFORE_START: tuple[State, ...] = ("accepted", "queued", "waiting")
NO_DAEMON = (
    "Waits for Dagster's daemon. `ds3d serve` brings it within half a minute; with --no-daemon, start one."
)
SHARED = "Another capture is worked on; this one goes on as soon as there is room."
NEVER_STARTED = "No run of this capture was started."


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """A backend that was tried and did not make the stage."""

    backend: str
    outcome: str
    reason: str
    """In one sentence, with a remedy."""


@dataclass(frozen=True, kw_only=True)
class StageStatus(StageState):
    """`state` is waiting, reused, running, done or failed."""

    fallbacks: tuple[Fallback, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QueuePlace:
    """Which of all that wait to start, from 1; what runs is none of them."""

    position: int
    of: int


@dataclass(frozen=True, kw_only=True)
class LastWord:
    """What became of a job that left nothing else to read it from."""

    state: State
    mode: str
    at: float
    """In seconds since 1970."""
    run_key: str = ""
    """Of the order that was dropped: Dagster may have taken it a moment before."""


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """One run of a capture, as Dagster knows it. Times are in seconds since 1970."""

    run_id: str
    run_key: str
    """Of the order that it was started for; empty of others."""
    capture: str
    name: str
    """How the user calls what was sent; empty where nobody said."""
    mode: str
    state: State
    created_at: float
    needs_daemon: bool = True
    """Whether Dagster's daemon starts it; not where the command line does."""
    started_at: float | None = None
    ended_at: float | None = None
    stages: frozenset[str] = frozenset(STAGES)
    """Those that it makes; the others it reuses."""


@dataclass(frozen=True, kw_only=True)
class OrderFacts:
    """A run that was asked for, and that Dagster does not know yet."""

    capture: str
    mode: str
    asked_at: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known of one job. An order that is there is newer than the run."""

    job_id: str
    name: str
    registered_at: float
    order: OrderFacts | None = None
    run: RunFacts | None = None
    word: LastWord | None = None
    stages: tuple[StageStatus, ...] = ()
    """Of the run, or of what is stored."""
    metrics: Mapping[str, Any] | None = None
    """Of the finished capture, or of the run that failed."""
    queue: QueuePlace | None = None
    has_daemon: bool = True
    is_alone: bool = True
    """Whether no other capture is worked on."""
    expected: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds that each stage should take."""


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """A job as the page shows it. Times are in seconds since 1970."""

    job_id: str
    name: str
    """How the user calls it."""
    mode: str
    state: State
    status: str | None
    """ok, degraded or failed; None as long as it is not finished."""
    reasons: tuple[str, ...]
    """Why the status is not ok, first the one that matters."""
    stage: str | None
    """The one that runs."""
    next: str | None
    """The one that comes after it, or between two stages at once."""
    progress: float
    """Of the whole, by time: 0 to 1."""
    remaining_s: float | None
    message: str
    queue: QueuePlace | None
    stages: tuple[StageStatus, ...]
    run_id: str | None
    created_at: float
    started_at: float | None
    ended_at: float | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in ENDED

    def to_json(self) -> dict[str, Any]:
        """As the API gives it."""
        return dataclasses.asdict(self)


def job_status(facts: Facts) -> JobStatus:
    """The one status that all these facts make."""
    state, mode = _state(facts), _mode(facts)
    is_new = facts.order is not None
    run = None if is_new else facts.run
    stages = waiting_stages() if is_new else facts.stages
    if facts.expected:
        stages = with_time_left(stages, facts.expected)
    running = next((stage for stage in stages if stage.state == "running"), None)
    outlook = forecast(stages, facts.expected) if stages and facts.expected and state not in ENDED else None
    metrics = facts.metrics if state in ("finished", "failed") else None
    return JobStatus(
        job_id=facts.job_id,
        name=facts.name,
        mode=mode,
        state=state,
        status=metrics["status"] if metrics else None,
        reasons=tuple(metrics["reasons"]) if metrics else (),
        stage=running.stage if running else None,
        next=_next(stages, state),
        progress=1.0 if state == "finished" else round(outlook.fraction, 4) if outlook else 0.0,
        remaining_s=round(outlook.remaining_s, 1) if outlook and state != "cancelling" else None,
        message=_message(facts, state, running),
        queue=facts.queue if state in BEFORE_START else None,
        stages=tuple(stages),
        run_id=run.run_id if run else None,
        created_at=facts.order.asked_at if facts.order else run.created_at if run else facts.registered_at,
        started_at=run.started_at if run else None,
        ended_at=run.ended_at if run else None,
    )


def _state(facts: Facts) -> State:
    if facts.order is not None:
        return "accepted" if facts.has_daemon else "waiting"
    run = facts.run
    if run is None:
        return facts.word.state if facts.word else "finished" if facts.metrics else "cancelled"
    if facts.word and is_about(facts.word, run) and run.state != "finished":
        return facts.word.state if run.state in ENDED else "cancelling"
    is_stuck = run.needs_daemon and not facts.has_daemon
    return "waiting" if run.state == "queued" and is_stuck else run.state


def is_about(word: LastWord, run: RunFacts) -> bool:
    """Whether a word is newer than a run, or was the end of the order that it was started for."""
    return word.at > run.created_at or (bool(word.run_key) and word.run_key == run.run_key)


def _mode(facts: Facts) -> str:
    if facts.order:
        return facts.order.mode
    if facts.run:
        return facts.run.mode
    if facts.word:
        return facts.word.mode
    return str(facts.metrics["mode"]) if facts.metrics else ""


def _next(stages: Sequence[StageState], state: State) -> str | None:
    """The first that waits; after the last one the results are put together."""
    if state in (*ENDED, "cancelling") or not stages:
        return None
    return next((stage.stage for stage in stages if stage.state == "waiting"), STAGES[-1])


def _message(facts: Facts, state: State, running: StageStatus | None) -> str:
    if state == "waiting":
        return NO_DAEMON
    if state == "cancelled" and facts.run is None and facts.word is None:
        return NEVER_STARTED
    if state == "running" and running is None and not facts.is_alone:
        return SHARED
    return running.message if running else ""


def waiting_stages() -> tuple[StageStatus, ...]:
    """Of a run that has not begun."""
    return tuple(StageStatus(stage=stage, state="waiting") for stage in MADE)
