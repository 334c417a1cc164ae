"""`ds3d list`, `ds3d status` and `ds3d clean`: what the home holds, and what of it can go."""

from __future__ import annotations

import dataclasses
import json
import time

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.words import duration, plural, size
from ds3d_pipeline.storage.bundles import StageReport
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.inventory import CaptureStatus, CaptureSummary, list_captures, read_status
from ds3d_pipeline.storage.leftovers import Leftover, drop, find_leftovers


def tell_captures(*, as_json: bool) -> None:
    """Prints every capture of the home, one a row."""
    from ds3d_pipeline.defs.runs import latest_words

    home, console = prepare_home(), Console(soft_wrap=True)
    captures = list_captures(home, latest_words(home))
    if as_json:
        for capture in captures:
            console.file.write(json.dumps(dataclasses.asdict(capture)) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("capture", "status", "mode", "finished"):
        table.add_column(name)
    table.add_column("size", justify="right")
    for capture in captures:
        table.add_row(*_row(capture))
    console.print(table if captures else "No captures yet.")


def _row(capture: CaptureSummary) -> tuple[str, ...]:
    if capture.finished_at is not None:
        finished = time.strftime("%Y-%m-%d %H:%M", time.localtime(capture.finished_at))
    else:
        finished = f"{capture.stages} of {len(STAGES)} stages"
    return escape(capture.name), capture.status, capture.mode, finished, size(capture.bytes)


def tell_status(name: str, *, as_json: bool) -> None:
    """Prints the stages of one capture and the word of its latest finished run."""
    console, status = Console(soft_wrap=True), read_status(prepare_home(), name)
    if as_json:
        console.file.write(json.dumps(dataclasses.asdict(status)) + "\n")
        return
    table = Table(box=None, pad_edge=False, title=escape(name), title_justify="left")
    for column in ("stage", "backend", "time", "memory", ""):
        table.add_column(column)
    for stage in STAGES[:-1]:
        table.add_row(stage, *_stage_cells(status.reports.get(stage)))
    console.print(table)
    _tell_word(console, status)


def _stage_cells(report: StageReport | None) -> tuple[str, ...]:
    if report is None:
        return "", "", "", "not made"
    missed = [f"{a.backend} {a.outcome}: {a.reason}" for a in report.attempts if a.outcome is not Outcome.OK]
    memory = size(report.peak_memory_mb * 1e6)
    return report.backend, duration(report.seconds), memory, escape("; ".join(missed))


def _tell_word(console: Console, status: CaptureStatus) -> None:
    if status.metrics is None:
        console.print("No run of this capture finished yet.")
        return
    console.print(f"latest finished run: {status.metrics['status']}, mode {status.metrics['mode']}")
    for reason in status.metrics["reasons"]:
        console.print(f"  {reason}", markup=False, highlight=False)


def clean(*, really: bool) -> None:
    """Prints what can go and how much that frees; removes it only `really`."""
    from ds3d_pipeline.defs.runs import find_running

    home, console = prepare_home(), Console(soft_wrap=True, highlight=False)
    running = find_running(home)
    leftovers = find_leftovers(home, running)
    dropped = [leftover for leftover in leftovers if not really or drop(leftover)]
    for leftover in dropped:
        console.print(f"{size(leftover.bytes):>9}  {leftover.kind:<14}  {leftover.path}", markup=False)
    if running:
        console.print(f"{plural(len(running), 'run')} still going: stored bundles were left alone.")
    console.print(_verdict(dropped, really=really))


def _verdict(dropped: list[Leftover], *, really: bool) -> str:
    if not dropped:
        return "Nothing to clean."
    total = size(sum(leftover.bytes for leftover in dropped))
    return f"Freed {total}." if really else f"{total} can go: `ds3d clean --yes` removes it."
