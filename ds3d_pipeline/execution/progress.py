"""What a run is doing, read from its journal: no channel, nothing to lose."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ds3d_pipeline.execution.journal import Journal
from ds3d_pipeline.metrics.record import Metrics
from ds3d_pipeline.programs.enums import Outcome

LOG_EVERY_S = 10.0


class ProgressLog:
    """Called often while a program runs; says what the journal holds of its stage."""

    def __init__(self, journal: Journal, stage: str, say: Callable[[str], None]) -> None:
        self._journal = journal
        self._stage = stage
        self._say = say
        self._next = time.monotonic() + LOG_EVERY_S

    def __call__(self) -> None:
        """Says a line where one is due."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOG_EVERY_S
        self._say(progress_line(stage_state(self._journal, self._stage)))


def progress_line(state: StageState) -> str:
    """Stage, backend, how far it is, for how long, how long still, and what it does."""
    left = "" if state.remaining_s is None else f", about {state.remaining_s:.0f} s left"
    doing = f": {state.message}" if state.message else ""
    return f"{state.stage}: {state.backend} at {state.fraction:.0%} after {state.seconds:.0f} s{left}{doing}"


@dataclass(frozen=True, kw_only=True)
class StageState:
    """`state` is waiting, reused, running, done or failed."""

    stage: str
    state: str
    backend: str = ""
    fraction: float = 0.0
    message: str = ""
    seconds: float = 0.0
    remaining_s: float | None = None


def stage_state(journal: Journal, stage: str, now: float | None = None) -> StageState:
    """The state of one stage of a run; `now` is in seconds since the epoch."""
    tried = [a for a in journal.attempts(stage) if a.outcome != Outcome.SKIPPED]
    if not tried:
        return StageState(stage=stage, state="waiting")
    last = tried[-1]
    if last.outcome == Outcome.STARTED:
        elapsed_s = (time.time() if now is None else now) - journal.started_at(stage)
        # A clock that was set back meanwhile.
        return _running(journal, stage, last.backend, max(elapsed_s, 0.0))
    return StageState(
        stage=stage,
        state="done" if last.outcome == Outcome.OK else "failed",
        backend=last.backend,
        seconds=sum(a.seconds for a in tried),
        message=last.reason,
    )


def _running(journal: Journal, stage: str, backend: str, elapsed_s: float) -> StageState:
    reached = journal.reached(stage)
    fraction = reached.fraction
    return StageState(
        stage=stage,
        state="running",
        backend=backend,
        fraction=fraction,
        message=reached.message,
        seconds=elapsed_s,
        remaining_s=elapsed_s * (1 - fraction) / fraction if fraction > 0.02 else None,
    )


Reader = Callable[[], list[StageState]]


class Display(Protocol):
    """Shows the stages while a run goes on, and its end."""

    def wait_for(self, capture: str, since: float) -> None:
        """Another run, of this capture, has to end first; it began at `since`, in seconds since 1970."""
        ...

    def following(self, read: Reader) -> contextlib.AbstractContextManager[None]:
        """Follows a run until the context ends."""
        ...

    def look(self) -> None:
        """Called ten times a second by the thread that waits for the run; what it raises cancels the run."""
        ...

    def finish(self, metrics: Metrics, folder: str) -> None:
        """The artifacts and the quality statement."""
        ...
