"""A run's journal: the plan and attempts of every stage, whether to stop, whether the run is finished.

Whoever runs a stage writes it, whoever watches the run reads it, also in the middle of a write and from
another process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ds3d_pipeline.execution import heartbeat
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.stages.plan import Plan
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline.storage.home import Home

RecordT = TypeVar("RecordT")


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One report of a program: how far it was (0 to 1), and when."""

    fraction: float
    at: float
    """Seconds since the epoch."""
    compiled_s: float
    """Spent on compiling kernels before it."""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How far a running program is: the fraction done (0 to 1), and what it does."""

    fraction: float = 0.0
    message: str = ""
    compiled_s: float = 0.0
    """Spent on compiling kernels, up to the last line."""
    compiling_since: float | None = None
    """Seconds since the epoch; None while nothing is compiled."""
    first: Mark | None = None
    """The first report: what was before it is imports, not work."""
    latest: Mark | None = None
    """The latest one of work."""


class Journal(Protocol):
    """What one run remembers from attempt to attempt. One process at a time writes about a stage."""

    def begin(self, stage: str, plan: Plan) -> None:
        """Forgets what there was of the stage; its attempts are those that the plan skipped."""
        ...

    def plan(self, stage: str) -> Plan | None:
        """None where the stage has not begun."""
        ...

    def attempts(self, stage: str) -> tuple[Attempt, ...]:
        """In their order; the last one's outcome is `started` while it runs."""
        ...

    def record(self, stage: str, attempt: Attempt) -> tuple[Attempt, ...]:
        """Adds an attempt, in the place of one that only started, and returns all."""
        ...

    def started_at(self, stage: str) -> float:
        """When the running attempt started, in seconds since the epoch; 0 where there was none."""
        ...

    def reached(self, stage: str) -> Reached:
        """How far the running attempt is."""
        ...

    def beating(self) -> contextlib.AbstractContextManager[None]:
        """Says that the run depends on this process, as long as the context lasts."""
        ...

    def is_going(self) -> bool | None:
        """Whether the process that the run depends on still goes on; None where none is known."""
        ...

    def cancel(self) -> None:
        """Asks every stage of the run to stop."""
        ...

    def is_cancelled(self) -> bool:
        """Whether the run was asked to stop."""
        ...

    def use(self, stage: str, version: str) -> str:
        """Notes which version of a stage the run reads; an earlier note stays. Returns what counts."""
        ...

    def made(self, stage: str, version: str) -> None:
        """Notes the version that the run made itself, which counts from now on."""
        ...

    def used(self, stage: str) -> str | None:
        """The version of a stage that this run made, or else reads; None where it did neither."""
        ...

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Notes that the run has published its files, and what it says of them."""
        ...

    def finished(self) -> dict[str, Any] | None:
        """The metrics that the run published; None as long as it has not."""
        ...


def run_journal(home: Home, run_id: str) -> Journal:
    """The journal of a run of this home."""
    return FolderJournal(home.work / run_id)


class FolderJournal:
    """A journal in the scratch folder of its run.

    <folder>/cancelled                        <folder>/finished.json
    <folder>/versions/<stage>                 a line for every note: `use` or `made`, and the version
    <folder>/heartbeat.json                   the process that the run depends on
    <folder>/<stage>/plan.json                <folder>/<stage>/attempts.json
    <folder>/<stage>/output/progress.jsonl    written by the running program itself
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, stage: str, plan: Plan) -> None:
        """The plan comes last: a stage without one has not begun."""
        (self._folder / stage).mkdir(parents=True, exist_ok=True)
        self._plan(stage).unlink(missing_ok=True)
        write_json(self._attempts(stage), plan.skipped)
        write_json(self._plan(stage), plan)

    def plan(self, stage: str) -> Plan | None:
        """None where the stage has not begun."""
        return _read(self._plan(stage), Plan)

    def attempts(self, stage: str) -> tuple[Attempt, ...]:
        """In their order."""
        return _read(self._attempts(stage), tuple[Attempt, ...]) or ()

    def record(self, stage: str, attempt: Attempt) -> tuple[Attempt, ...]:
        """Adds an attempt, in the place of one that only started, and returns all."""
        attempts = (*(a for a in self.attempts(stage) if a.outcome != "started"), attempt)
        self._attempts(stage).parent.mkdir(parents=True, exist_ok=True)
        write_json(self._attempts(stage), attempts)
        return attempts

    def started_at(self, stage: str) -> float:
        """The last write: nothing is written while an attempt runs."""
        with contextlib.suppress(FileNotFoundError):
            return self._attempts(stage).stat().st_mtime
        return 0.0

    def reached(self, stage: str) -> Reached:
        """The last whole line that the program wrote, and the times that passed with compiling."""
        path = self._folder / stage / "output" / "progress.jsonl"
        lines: list[dict[str, Any]] = []
        with contextlib.suppress(FileNotFoundError):
            text = path.read_text(encoding="utf-8")
            lines = [json.loads(line) for line in text.split("\n")[:-1] if line]
        return reached_by(lines)

    def beating(self) -> contextlib.AbstractContextManager[None]:
        """See `heartbeat`."""
        return heartbeat.beating(self._folder)

    def is_going(self) -> bool | None:
        """See `heartbeat`."""
        return heartbeat.is_going(self._folder)

    def cancel(self) -> None:
        """A file, so that it is seen from every process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._cancelled.touch()

    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.exists()

    def use(self, stage: str, version: str) -> str:
        """The first of two steps that read a stage at the same time decides for both."""
        self._note(stage, "use", version)
        return self.used(stage) or version

    def made(self, stage: str, version: str) -> None:
        """Counts even where the run read another version before."""
        self._note(stage, "made", version)

    def used(self, stage: str) -> str | None:
        """The last line of those made, else the first of those read."""
        lines: list[list[str]] = []
        with contextlib.suppress(FileNotFoundError):
            text = (self._folder / "versions" / stage).read_text(encoding="utf-8")
            lines = [line.split() for line in text.splitlines()]
        made = [version for how, version in lines if how == "made"]
        return made[-1] if made else lines[0][1] if lines else None

    def _note(self, stage: str, how: str, version: str) -> None:
        """Short lines are appended whole, whoever else appends."""
        path = self._folder / "versions" / stage
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{how} {version}\n")

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """A file, so that it is seen from every process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_json(self._finished, dict(metrics))

    def finished(self) -> dict[str, Any] | None:
        """What `finish` was called with."""
        return _read(self._finished, dict[str, Any])

    @property
    def _cancelled(self) -> Path:
        return self._folder / "cancelled"

    @property
    def _finished(self) -> Path:
        return self._folder / "finished.json"

    def _plan(self, stage: str) -> Path:
        return self._folder / stage / "plan.json"

    def _attempts(self, stage: str) -> Path:
        return self._folder / stage / "attempts.json"


def reached_by(lines: Sequence[Mapping[str, Any]]) -> Reached:
    """How far a program is that wrote these lines of progress."""
    last: Mapping[str, Any] = lines[-1] if lines else {}
    work = [number for number, line in enumerate(lines) if not line.get("compiling")]
    return Reached(
        fraction=float(last.get("fraction", 0.0)),
        message=str(last.get("message", "")),
        compiled_s=_compiled_s(lines),
        compiling_since=float(last["time"]) if last.get("compiling") else None,
        first=_mark(lines[: work[0] + 1]) if work else None,
        latest=_mark(lines[: work[-1] + 1]) if work else None,
    )


def _mark(lines: Sequence[Mapping[str, Any]]) -> Mark:
    """The last of these lines."""
    at, fraction = float(lines[-1].get("time", 0.0)), float(lines[-1].get("fraction", 0.0))
    return Mark(fraction=fraction, at=at, compiled_s=_compiled_s(lines))


def _compiled_s(lines: Sequence[Mapping[str, Any]]) -> float:
    return sum(after["time"] - line["time"] for line, after in pairwise(lines) if line.get("compiling"))


def note_lost_attempt(journal: Journal, stage: str) -> None:
    """An attempt that left only its start was killed together with the process that watched it."""
    for attempt in journal.attempts(stage):
        if attempt.outcome == Outcome.STARTED:
            reason = "The step's own process was killed."
            journal.record(stage, dataclasses.replace(attempt, outcome=Outcome.CRASHED, reason=reason))


def _read(path: Path, record_type: type[RecordT]) -> RecordT | None:
    """None where there is no such file; it may go at any moment."""
    with contextlib.suppress(FileNotFoundError):
        return read_json(path, record_type)
    return None
