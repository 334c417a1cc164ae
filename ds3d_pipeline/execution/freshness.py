"""Which assets of a capture are up to date, by what they depend on: options, code and the bundles read."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from upath import UPath

from ds3d_pipeline.depth.report import DepthReport
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.stages.plan import plan_ladder
from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline.storage.bundles import StageReport, current_report, set_damaged_aside
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import content_versions, upload_files


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """A stored bundle, by its data version, with its report."""

    version: str
    report: StageReport


def find_fresh(
    home: Home, capture: str, options: Mapping[str, Any], prefer: Mapping[str, str]
) -> dict[str, Stored]:
    """The stages whose published files are what a run would make again; `metrics` is never among them."""
    _set_damaged_aside(home, capture)
    fresh: dict[str, Stored] = {}
    for stage in STAGES[:-1]:
        reads = STAGE_CARDS[stage].reads
        if not all(name in fresh for name in reads):
            continue
        read = {name: fresh[name].version for name in reads}
        if stage == "capture":
            read = content_versions(upload_files(home, capture))
        found = current_report(_place(home, stage, capture))
        mark = fingerprint(stage, options[stage], prefer.get(stage), read)
        if found and found[1].fingerprint == mark and is_best(found[1], options, prefer):
            fresh[stage] = Stored(version=found[0], report=found[1])
    return fresh


def _set_damaged_aside(home: Home, capture: str) -> None:
    """Bundles whose files are no longer what was sealed are none of the fresh ones.

    What is published is read whole. Once something is damaged, all is: bundles share files by hard links.
    """
    places = {stage: _place(home, stage, capture) for stage in STAGES[:-1]}
    found = [set_damaged_aside(places[stage], thorough=bool(STAGE_CARDS[stage].products)) for stage in places]
    if any(found):
        for place in places.values():
            set_damaged_aside(place, thorough=True)


def _place(home: Home, stage: str, capture: str) -> UPath:
    return UPath(home.storage) / stage / capture


def is_best(report: StageReport, options: Mapping[str, Any], prefer: Mapping[str, str | None]) -> bool:
    """Whether the files are sound, and no better backend that could not run then can run now.

    Where one could not be had even as a help (`not_filled`), every backend is better. A report of another
    edition of ds3d, which cannot be read, counts as stale.
    """
    try:
        result = report.read(STAGE_CARDS[report.stage].report)
    except ValueError:
        return False
    untried = {a.backend for a in report.attempts if a.outcome is Outcome.SKIPPED}
    rungs = plan_ladder(report.stage, options[report.stage], prefer.get(report.stage)).rungs
    better = rungs[: rungs.index(report.backend)] if report.backend in rungs else ()
    lacks_help = isinstance(result, DepthReport) and result.not_filled is not None
    better = rungs if lacks_help else better
    return not report.faults and not any(rung in untried for rung in better)


def fingerprint(stage: str, options: Any, prefer: str | None, inputs: dict[str, str]) -> str:
    """Hash of all that a stage's files depend on: code version, options and the data versions read."""
    facts = [stage, STAGE_CARDS[stage].code_version, dataclasses.asdict(options), prefer, inputs]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]
