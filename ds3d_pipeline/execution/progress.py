"""What a run is doing, read from its journal: no channel, nothing to lose."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ds3d_pipeline.execution.journal import Journal, Mark
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
class Report:
    """How far a program said it was (0 to 1), after how many seconds without compiling."""

    fraction: float
    worked_s: float


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
    compiling_s: float = 0.0
    """Of the seconds, those that passed with compiling kernels: no measure of speed."""
    first: Report | None = None
    """The first report; what was before it is imports, not work."""
    latest: Report | None = None

    @property
    def worked_s(self) -> float:
        """The seconds without compiling."""
        return max(self.seconds - self.compiling_s, 0.0)


@dataclass(frozen=True, kw_only=True)
class RunState:
    """The stages of a run in their order, how far it is as a whole (0 to 1), and how long it still takes."""

    stages: tuple[StageState, ...] = ()
    fraction: float = 0.0
    remaining_s: float | None = None


def stage_state(journal: Journal, stage: str, now: float | None = None) -> StageState:
    """The state of one stage of a run; `now` is in seconds since the epoch."""
    tried = [a for a in journal.attempts(stage) if a.outcome != Outcome.SKIPPED]
    if not tried:
        return StageState(stage=stage, state="waiting")
    last = tried[-1]
    if last.outcome == Outcome.STARTED:
        return _running(journal, stage, last.backend, time.time() if now is None else now)
    return StageState(
        stage=stage,
        state="done" if last.outcome == Outcome.OK else "failed",
        backend=last.backend,
        seconds=sum(a.seconds for a in tried),
        message=last.reason,
    )


def _running(journal: Journal, stage: str, backend: str, now: float) -> StageState:
    reached = journal.reached(stage)
    # A clock may be set back meanwhile.
    elapsed_s = max(now - journal.started_at(stage), 0.0)
    compiling_s = reached.compiled_s
    if reached.compiling_since is not None:
        compiling_s += max(now - reached.compiling_since, 0.0)
    start = journal.started_at(stage)
    found = StageState(
        stage=stage,
        state="running",
        backend=backend,
        fraction=reached.fraction,
        message=reached.message,
        seconds=elapsed_s,
        compiling_s=compiling_s,
        first=report_of(reached.first, start),
        latest=report_of(reached.latest, start),
    )
    return dataclasses.replace(found, remaining_s=_by_pace(found))


def report_of(mark: Mark | None, start: float) -> Report | None:
    """A mark of a program that started at `start`, in seconds since the epoch."""
    if mark is None:
        return None
    return Report(fraction=mark.fraction, worked_s=max(mark.at - start - mark.compiled_s, 0.0))


def _by_pace(state: StageState) -> float | None:
    """As long as the rest takes if it goes on as until now; None as long as that says nothing."""
    if state.fraction <= 0.02:
        return None
    return state.worked_s * (1 - state.fraction) / state.fraction


Reader = Callable[[], RunState]


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
