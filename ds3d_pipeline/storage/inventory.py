"""What a home knows of its captures, read from the published bundles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from upath import UPath

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.options import is_table
from ds3d_pipeline.storage.bundles import CURRENT, StageReport, current_report, current_version
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.manifest import REPORT, read_manifest

UNFINISHED = "unfinished"


@dataclass(frozen=True, kw_only=True)
class CaptureSummary:
    """One capture: `status` and `mode` of its latest finished run.

    Without one, `status` is the word of its latest run, or `unfinished`.
    """

    name: str
    status: str
    mode: str
    finished_at: float | None
    """Seconds since 1970; None where no run finished or the storage keeps no times."""
    stages: int
    """How many stages have a published bundle."""
    bytes: int
    """Of the bundles that count; superseded ones not included."""


@dataclass(frozen=True, kw_only=True)
class CaptureStatus:
    """Every stage's report, in order, and the metrics of the latest finished run."""

    name: str
    reports: dict[str, StageReport]
    metrics: dict[str, Any] | None


def list_captures(home: Home, latest: Mapping[str, str] | None = None) -> list[CaptureSummary]:
    """Every capture that was registered or has a bundle, by name; `latest` is the word of latest runs."""
    words = latest or {}
    return [summarise(home, name, words.get(name, UNFINISHED)) for name in sorted(capture_names(home))]


def capture_names(home: Home) -> set[str]:
    """Every capture that was registered or has a bundle."""
    names = {path.name for path in _folders(UPath(home.registered))}
    for stage in STAGES:
        names |= {path.name for path in _folders(UPath(home.storage) / stage)}
    return {name for name in names if not name.startswith(".")}


def _folders(place: UPath) -> Iterator[UPath]:
    if place.exists():
        yield from (path for path in place.iterdir() if path.is_dir())


def summarise(home: Home, name: str, word: str = UNFINISHED) -> CaptureSummary:
    """One row of the list; `word` is shown if no run finished."""
    places = [UPath(home.storage) / stage / name for stage in STAGES]
    sizes = [size for place in places if (size := bundle_bytes(place)) is not None]
    metrics = latest_metrics(home, name)
    return CaptureSummary(
        name=name,
        status=metrics["status"] if metrics else word,
        mode=metrics["mode"] if metrics else "",
        finished_at=(places[-1] / CURRENT).stat().st_mtime or None if metrics else None,
        stages=len(sizes),
        bytes=sum(sizes),
    )


def bundle_bytes(place: UPath) -> int | None:
    """Bytes of the files of the bundle that counts at `<storage>/<asset>/<capture>`; None without one."""
    version = current_version(place)
    try:
        entries = read_manifest(place / version) if version else None
    except (OSError, ValueError):
        return None
    return sum(e.bytes for name, e in entries.items() if name != REPORT) if entries is not None else None


def latest_metrics(home: Home, name: str) -> dict[str, Any] | None:
    """The metrics of a capture's latest finished run; None without one, or where they cannot be read."""
    place = UPath(home.storage) / "metrics" / name
    version = current_version(place)
    try:
        metrics: Any = json.loads((place / version / "metrics.json").read_bytes()) if version else None
    except (OSError, ValueError):
        return None
    return metrics if is_table(metrics) and {"status", "mode", "reasons"} <= metrics.keys() else None


def read_status(home: Home, name: str) -> CaptureStatus:
    """What is known of one capture. Raises InputError where the home does not know it."""
    known = capture_names(home)
    if name not in known:
        raise InputError(f"No capture {name!r} in {home.root}.", "See `ds3d list`.")
    found = {stage: current_report(UPath(home.storage) / stage / name) for stage in STAGES[:-1]}
    reports = {stage: report[1] for stage, report in found.items() if report}
    return CaptureStatus(name=name, reports=reports, metrics=latest_metrics(home, name))
