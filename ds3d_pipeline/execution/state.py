"""The state of one stage of a run on its ladder, and the summary of its attempts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3d_pipeline.execution.journal import Journal
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline.storage.home import Home


class RungFailed(Exception):
    """A rung did not make it; the ladder goes on with the next attempt."""


class LadderExhausted(Exception):
    """No further attempt can help. The text is the cause; `log_tail` is the end of the last program's log."""

    def __init__(self, cause: str, attempts: tuple[Attempt, ...] = (), log_tail: str = "") -> None:
        super().__init__(cause)
        self.attempts = attempts
        self.log_tail = log_tail


class Cancelled(Exception):
    """The run was asked to stop."""


@dataclass(frozen=True, kw_only=True)
class LadderState:
    """One attempt of one stage. What the journal and the folder hold survives to the next attempt."""

    home: Home
    journal: Journal
    run_id: str
    stage: str
    attempt: int
    """0 for the first; attempt n runs rung n of the plan."""
    options: Any
    prefer: str | None
    """The backend to try first; None follows the ladder."""
    log: logging.Logger

    @property
    def folder(self) -> Path:
        """The stage's scratch folder on this machine."""
        return self.home.work / self.run_id / self.stage

    def record(self, attempt: Attempt) -> tuple[Attempt, ...]:
        """Notes an attempt and returns all of the stage."""
        return self.journal.record(self.stage, attempt)

    def refuse_after_cancel(self) -> None:
        """Raises Cancelled where the run was asked to stop."""
        if self.journal.is_cancelled():
            raise Cancelled(f"{self.stage}: the run was cancelled")


def summary(stage: str, attempts: Sequence[Attempt]) -> str:
    """The outcome of every rung, in one line."""
    tried = [f"{a.backend} {a.outcome}: {a.reason}" for a in attempts]
    return tried[0] if len(tried) == 1 else f"All backends of {stage} failed. " + " | ".join(tried)
