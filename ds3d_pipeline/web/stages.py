"""The stages of a job: from the journal while it runs, from what was published or stored afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from upath import UPath

from ds3d_pipeline.execution.costs import MADE
from ds3d_pipeline.execution.journal import Journal
from ds3d_pipeline.execution.progress import StageState, stage_state
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.storage.bundles import Attempt, StageReport, current_report
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.web.status import Fallback, StageStatus

_NO_FALLBACK = (Outcome.OK, Outcome.STARTED, Outcome.SKIPPED)


def stages_of_run(
    home: Home, capture: str, journal: Journal, made: frozenset[str]
) -> tuple[StageStatus, ...]:
    """The stages of a run that goes on; those that are not in `made` are reused."""
    return tuple(_live(journal, stage) if stage in made else _reused(home, capture, stage) for stage in MADE)


def _live(journal: Journal, stage: str) -> StageStatus:
    return _with_fallbacks(stage_state(journal, stage), journal.attempts(stage))


def _with_fallbacks(state: StageState, attempts: Iterable[Attempt]) -> StageStatus:
    fallbacks = tuple(
        Fallback(backend=attempt.backend, outcome=str(attempt.outcome), reason=attempt.reason)
        for attempt in attempts
        if attempt.outcome not in _NO_FALLBACK
    )
    known: dict[str, Any] = vars(state) | ({"message": ""} if state.state == "done" else {})
    return StageStatus(**known, fallbacks=fallbacks)


def _reused(home: Home, capture: str, stage: str) -> StageStatus:
    report = stored_report(home, capture, stage)
    return StageStatus(stage=stage, state="reused", backend=report.backend if report else "")


def stored_report(home: Home, capture: str, stage: str) -> StageReport | None:
    """How the stored files of a stage came about; None where there are none."""
    found = current_report(UPath(home.storage) / stage / capture)
    return found[1] if found else None


def published_stages(metrics: Mapping[str, Any]) -> tuple[StageStatus, ...]:
    """The stages of a capture of which nothing but its metrics is known."""
    waiting = {stage: StageStatus(stage=stage, state="waiting") for stage in MADE}
    known = {
        stage: _published(stage, facts) for stage, facts in metrics["stages"].items() if stage in waiting
    }
    return tuple((waiting | known).values())


def stages_after_end(
    home: Home, capture: str, journal: Journal, made: frozenset[str], metrics: Mapping[str, Any] | None
) -> tuple[StageStatus, ...]:
    """The stages of a run that has ended, whose scratch folder may be gone."""
    published = {state.stage: state for state in published_stages(metrics)} if metrics else {}
    return tuple(
        _ended(home, capture, stage, _live(journal, stage), published.get(stage))
        if stage in made
        else _reused(home, capture, stage)
        for stage in MADE
    )


def _ended(
    home: Home, capture: str, stage: str, live: StageStatus, published: StageStatus | None
) -> StageStatus:
    if live.state in ("done", "failed"):
        return live
    if published is not None and published.state != "waiting":
        return published
    report = stored_report(home, capture, stage)
    if report is None:
        return StageStatus(stage=stage, state="waiting")
    state = StageState(stage=stage, state="done", backend=report.backend, seconds=report.seconds)
    return _with_fallbacks(state, report.attempts)


def _published(stage: str, facts: Mapping[str, Any]) -> StageStatus:
    attempts = [Attempt(**attempt) for attempt in facts["attempts"]]
    backend = facts["backend"]
    state = StageState(
        stage=stage,
        state="done" if backend else "failed",
        backend=backend or (attempts[-1].backend if attempts else ""),
        seconds=facts["seconds"],
        message="" if backend or not attempts else attempts[-1].reason,
    )
    return _with_fallbacks(state, attempts)
