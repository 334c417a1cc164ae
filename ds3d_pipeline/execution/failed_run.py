"""A run that failed gets its report all the same: what it did finish, and why the rest did not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from upath import UPath

from ds3d_pipeline.execution.freshness import find_fresh
from ds3d_pipeline.execution.journal import Journal, run_journal
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_failure
from ds3d_pipeline.storage.bundles import Attempt, Bundle, fetch
from ds3d_pipeline.storage.home import Home

_UNKNOWN = Attempt(backend="local", outcome=Outcome.FAILED, reason="See the run's events in `dagster dev`.")


def publish_failed_run(home: Home, run_id: str, request: RunRequest) -> tuple[dict[str, Any], Path]:
    """Publishes what did get finished, and why the rest did not; returns its metrics and their folder."""
    failures = _failures(run_journal(home, run_id)) or (("metrics", (_UNKNOWN,)),)
    story = Story(capture=request.capture, mode=request.mode, failures=failures)
    return publish_failure(story, _finished(home, request), request.output)


def _failures(journal: Journal) -> tuple[tuple[str, tuple[Attempt, ...]], ...]:
    """The stages whose last attempt is not a good one, with all their attempts."""
    found = ((stage, journal.attempts(stage)) for stage in STAGES)
    return tuple((stage, tried) for stage, tried in found if tried and tried[-1].outcome != Outcome.OK)


def _finished(home: Home, request: RunRequest) -> dict[str, Bundle]:
    capture = request.capture
    fresh = find_fresh(home, capture, request.all_options(), request.prefer)
    return {stage: fetch(UPath(home.storage) / stage / capture, home.root / "cache") for stage in fresh}
