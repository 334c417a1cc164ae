"""What another run stored meanwhile: runs that ask for the same share their work.

Heavy stages are made one at a time, so a run that waited for its turn finds what an equal one has just made.
"""

from __future__ import annotations

from upath import UPath

from ds3d_pipeline.execution.freshness import fingerprint, is_best
from ds3d_pipeline.execution.ladder import Inputs
from ds3d_pipeline.execution.state import LadderState
from ds3d_pipeline.storage.bundles import CURRENT, Bundle, current_report, fetch, set_damaged_aside


def stored_since(state: LadderState, capture: str, inputs: Inputs, since: float) -> Bundle | None:
    """The bundle that this stage would make once more, if it was stored after `since`; else None.

    `since` is when the run was asked for, in seconds since 1970: what was stored before that is made again,
    because whoever asked could see it. Its attempts become those of this run.
    """
    place = UPath(state.home.storage) / state.stage / capture
    if not _is_later(place / CURRENT, since):
        return None
    set_damaged_aside(place, thorough=True)
    found = current_report(place)
    if found is None or not _is_same(found[1].fingerprint, state, inputs):
        return None
    version, report = found
    if not is_best(report, {state.stage: state.options}, {state.stage: state.prefer}):
        return None
    bundle = fetch(place, state.home.root / "cache", version)
    for attempt in report.attempts:
        state.record(attempt)
    return bundle


def _is_same(mark: str, state: LadderState, inputs: Inputs) -> bool:
    return mark == fingerprint(state.stage, state.options, state.prefer, inputs.versions())


def _is_later(pointer: UPath, since: float) -> bool:
    """Never at a storage that keeps no times."""
    return pointer.exists() and (pointer.stat().st_mtime or 0.0) > since
