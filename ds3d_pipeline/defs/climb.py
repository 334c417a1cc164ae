"""What an op remembers from attempt to attempt of a run: its folders, its attempts, whether to stop."""

import dataclasses
from pathlib import Path
from typing import Any

import dagster as dg

from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline.storage.home import Home


@dataclasses.dataclass(frozen=True, kw_only=True)
class Climb:
    """One op's climb: its folders survive from attempt to attempt of a run."""

    context: dg.AssetExecutionContext
    stage: str
    options: Any
    prefer: str | None
    home: Home

    @property
    def work(self) -> Path:
        return self.home.work / self.context.run.run_id

    @property
    def folder(self) -> Path:
        return self.work / self.stage

    @property
    def attempts_file(self) -> Path:
        return self.folder / "attempts.json"

    def attempts(self) -> tuple[Attempt, ...]:
        return read_json(self.attempts_file, tuple[Attempt, ...]) if self.attempts_file.exists() else ()

    def record(self, attempt: Attempt) -> tuple[Attempt, ...]:
        kept = tuple(a for a in self.attempts() if a.outcome != "started")
        write_json(self.attempts_file, (*kept, attempt))
        return (*kept, attempt)


def note_lost_attempt(climb: Climb) -> None:
    """An attempt that left only its start was killed together with the process that watched it."""
    for attempt in climb.attempts():
        if attempt.outcome == "started":
            lost = dataclasses.replace(
                attempt, outcome="crashed", reason="The step's own process was killed."
            )
            climb.record(lost)


def summary(climb: Climb) -> str:
    """What every rung said, in one line."""
    tried = [f"{a.backend} {a.outcome}: {a.reason}" for a in climb.attempts()]
    return tried[0] if len(tried) == 1 else f"No backend of {climb.stage} made it. " + " | ".join(tried)


def mark_cancelled(work: Path) -> None:
    """Tells every stage of the run with this work folder to stop."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "cancelled").touch()


def is_cancelled(work: Path) -> bool:
    """Whether the run with this work folder was told to stop."""
    return (work / "cancelled").exists()


def refuse_after_cancel(climb: Climb) -> None:
    """Raises KeyboardInterrupt where the run was told to stop."""
    if is_cancelled(climb.work):
        raise KeyboardInterrupt
