"""A run that failed gets its report all the same: what it did finish, and why the rest did not."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upath import UPath

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.execution.freshness import Stored, find_fresh
from ds3d_pipeline.execution.journal import Journal, run_journal
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.causes import cause_in
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_failure
from ds3d_pipeline.storage.bundles import Attempt, Bundle, fetch
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.manifest import BundleDamaged
from ds3d_pipeline.storage.published import publishing

_NO_LOGS: Mapping[str, str] = {}
_UNKNOWN = Attempt(backend="local", outcome=Outcome.FAILED, reason="See the run's events in `dagster dev`.")


def publish_failed_run(
    home: Home, run_id: str, request: RunRequest, logs: Mapping[str, str] = _NO_LOGS
) -> tuple[dict[str, Any], Path]:
    """Publishes what did get finished, and why the rest did not; returns its metrics and their folder.

    `logs` are the errors by stage that the orchestrator saw: they count where the journal has no cause, since
    on a full disk it could not be written either.
    """
    journal = run_journal(home, run_id)
    misfit = _misfit(request)
    failures = _failures(journal) or _failures_in(logs) or (("metrics", (misfit or _UNKNOWN,)),)
    story = Story(capture=request.capture, mode=request.mode, failures=failures)
    fresh = {} if misfit else find_fresh(home, request.capture, request.all_options(), request.prefer)
    bundles = _finished(home, journal, request.capture, fresh, {stage for stage, _ in failures})
    with publishing(home, request.capture, request.output):
        return publish_failure(story, bundles, request.output)


def _misfit(request: RunRequest) -> Attempt | None:
    """Why nothing could be begun: options that do not fit, as the launchpad takes them."""
    try:
        request.check_fits()
    except InputError as error:
        return Attempt(backend="local", outcome=Outcome.FAILED, reason=str(error))
    return None


def _failures(journal: Journal) -> tuple[tuple[str, tuple[Attempt, ...]], ...]:
    """The stages whose last attempt is not a good one, with all their attempts."""
    found = ((stage, journal.attempts(stage)) for stage in STAGES)
    return tuple((stage, tried) for stage, tried in found if tried and tried[-1].outcome != Outcome.OK)


def _failures_in(logs: Mapping[str, str]) -> tuple[tuple[str, tuple[Attempt, ...]], ...]:
    """Of the first stage whose error has a known cause."""
    for stage in STAGES:
        if cause := cause_in(logs.get(stage, "")):
            return ((stage, (Attempt(backend="local", outcome=Outcome.FAILED, reason=cause),)),)
    return ()


def _finished(
    home: Home, journal: Journal, capture: str, fresh: Mapping[str, Stored], failed: set[str]
) -> dict[str, Bundle]:
    """What the run made or read; of stages that it never came to, what it would have reused: the `fresh`."""
    used = {stage: journal.used(stage) for stage in STAGES[:-1]}
    versions = {stage: stored.version for stage, stored in fresh.items()}
    versions |= {stage: version for stage, version in used.items() if version}
    bundles: dict[str, Bundle] = {}
    for stage in STAGES:
        if stage in versions and stage not in failed:
            # What is damaged or gone was the end of the run, or does not matter to it.
            with contextlib.suppress(BundleDamaged):
                place = UPath(home.storage) / stage / capture
                bundles[stage] = fetch(place, home.root / "cache", versions[stage])
    return bundles
