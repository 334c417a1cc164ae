"""Why a capture is not `ok`: first the one cause that matters, with its remedy, then what follows from it.

This is the only place where reasons are put in order; whoever shows them shows the first one first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ds3d_pipeline.poses.report import PosesReport
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.words import listing
from ds3d_pipeline.stages.table import (
    STAGE_CARDS,
    backend_label,
    depending_on,
    find_rung,
    missed_gates,
    stage_label,
)
from ds3d_pipeline.storage.bundles import Attempt, StageReport

Failures = tuple[tuple[str, tuple[Attempt, ...]], ...]
_FAILED = (Outcome.FAILED, Outcome.CRASHED)


class _Rank(IntEnum):
    """What comes first."""

    STAGE_FAILED = 0
    CAPTURE = 1
    """What is wrong with what was sent."""
    ROOT = 2
    """Why the first stage that lacks something does."""
    LACK = 3
    LIMIT = 4
    """A number below its limit, or a size made smaller."""
    FALLBACK = 5
    UNAVAILABLE = 6


@dataclass(frozen=True)
class _Reason:
    rank: _Rank
    text: str


def find_reasons(failures: Failures, reports: Mapping[str, StageReport]) -> list[str]:
    """The reasons in order, none twice; `failures` are the stages that failed, with what was tried."""
    found = [
        _Reason(_Rank.STAGE_FAILED, f"{stage_label(stage)}: {tried[-1].reason}")
        for stage, tried in failures
        if tried
    ]
    found += _diagnosis(reports)
    root = _root(reports)
    follows = depending_on(root) - {root} if root else frozenset[str]()
    for stage, report in reports.items():
        found += _of_stage(report, is_root=stage == root, follows=stage in follows)
    return _each_once([reason.text for reason in sorted(found, key=lambda reason: reason.rank)])


def _each_once(texts: list[str]) -> list[str]:
    """Leaves out what an earlier one says as well."""
    kept: list[str] = []
    for text in texts:
        if not any(text in earlier for earlier in kept):
            kept.append(text)
    return kept


def _root(reports: Mapping[str, StageReport]) -> str | None:
    """The first stage whose better backends failed, so that its result lacks something."""
    return next((stage for stage, report in reports.items() if report.shortfall and _failed(report)), None)


def _failed(report: StageReport) -> list[Attempt]:
    return [attempt for attempt in report.attempts if attempt.outcome in _FAILED]


def _diagnosis(reports: Mapping[str, StageReport]) -> Iterator[_Reason]:
    poses = reports["poses"].read(PosesReport) if "poses" in reports else None
    if poses and poses.diagnosis:
        yield _Reason(_Rank.CAPTURE, f"{poses.diagnosis.cause} {poses.diagnosis.remedy}")


def _of_stage(report: StageReport, *, is_root: bool, follows: bool) -> Iterator[_Reason]:
    """What failed in a stage only because of an earlier one is left out: its advice would mislead."""
    failed = _failed(report)
    if is_root:
        yield _Reason(_Rank.ROOT, failed[0].reason)
    else:
        own = [attempt for attempt in failed if not follows or _takes_one_view(report, attempt.backend)]
        yield from (_Reason(_Rank.FALLBACK, text) for text in _fallbacks(report, own))
    if report.shortfall:
        yield _Reason(_Rank.LACK, report.shortfall)
        yield from (_Reason(_Rank.UNAVAILABLE, text) for text in _unavailable(report))
    clamped = [attempt.reason for attempt in report.attempts if attempt.outcome is Outcome.CLAMPED]
    yield from (_Reason(_Rank.LIMIT, text) for text in (*clamped, *missed_gates(report)))


def _takes_one_view(report: StageReport, backend: str) -> bool:
    return any(rung.takes_one_view for rung in STAGE_CARDS[report.stage].rungs if rung.name == backend)


def _fallbacks(report: StageReport, attempts: Sequence[Attempt]) -> list[str]:
    """Which backends failed, those with the same reason together."""
    failed: dict[str, list[str]] = {}
    for attempt in attempts:
        failed.setdefault(attempt.reason, []).append(backend_label(report.stage, attempt.backend))
    stage, used = stage_label(report.stage), backend_label(report.stage, report.backend)
    return [
        f"{stage}: {used} is used because {listing(names)} failed. {reason}"
        for reason, names in failed.items()
    ]


def _unavailable(report: StageReport) -> list[str]:
    """Which better backends are missing, without those that would have failed by the same."""
    stage = stage_label(report.stage)
    return [
        f"{stage}: {backend_label(report.stage, attempt.backend)} is not available. {attempt.reason}"
        for attempt in report.attempts
        if attempt.outcome is Outcome.SKIPPED and not _would_fail(report, attempt.backend)
    ]


def _would_fail(report: StageReport, backend: str) -> bool:
    """Whether a backend does in a container, or on a GPU, what failed here without."""
    rungs = {rung.name: number for number, rung in enumerate(STAGE_CARDS[report.stage].rungs)}
    failed = [rungs[attempt.backend] for attempt in _failed(report) if attempt.backend in rungs]
    if not failed or backend not in rungs:
        return False
    return find_rung(report.stage, backend).is_boxed or rungs[backend] < min(failed)
