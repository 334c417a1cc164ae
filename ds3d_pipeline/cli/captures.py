"""`ds3d list`, `ds3d status` and `ds3d clean`: the captures of the home, and what can be deleted."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING

from rich.table import Table

from ds3d_pipeline.cli.boundary import explain_all
from ds3d_pipeline.cli.display import print_reasons
from ds3d_pipeline.cli.output import complain, console
from ds3d_pipeline.metrics.record import read_metrics
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.words import duration, plural, size
from ds3d_pipeline.storage.bundles import StageReport
from ds3d_pipeline.storage.home import Home, find_home, prepare_home
from ds3d_pipeline.storage.inventory import CaptureStatus, CaptureSummary, list_captures, read_status
from ds3d_pipeline.storage.leftovers import Leftover, drop, find_leftovers
from ds3d_pipeline.storage.published import published_folders
from ds3d_pipeline.storage.registrations import damaged_registrations

if TYPE_CHECKING:
    from rich.console import Console


_ANY_WIDTH = 10_000


def print_captures(*, as_json: bool) -> None:
    """Prints every capture of the home, one a row."""
    home, screen = _readable_home(), console()
    captures = list_captures(home, _words_of_runs(home))
    for path in damaged_registrations(home):
        complain(
            f"{path} is missing or damaged. Run `ds3d reconstruct` with the files of that capture again."
        )
    if as_json:
        for capture in captures:
            folders = [str(folder) for folder in published_folders(home, capture.name)]
            screen.file.write(json.dumps(dataclasses.asdict(capture) | {"folders": folders}) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("capture", "status", "mode", "finished"):
        table.add_column(name)
    table.add_column("size", justify="right")
    table.add_column("files")
    for capture in captures:
        folders = published_folders(home, capture.name)
        table.add_row(*_row(capture), ", ".join(map(str, folders)))
    # As wide as it has to be: a path that is cut or broken is of no use.
    screen.width = _ANY_WIDTH
    screen.print(table if captures else "No captures yet.")


def _readable_home() -> Home:
    """The home, prepared where that is possible: what is stored can be read on a full disk as well."""
    home = find_home()
    try:
        return prepare_home()
    except OSError as error:
        known = explain_all(error)
        if known is None or not home.root.is_dir():
            raise
        complain(str(known))
        return home


def _words_of_runs(home: Home) -> dict[str, str]:
    """What became of the latest run of each capture; nothing, with a complaint, where that cannot be read."""
    from ds3d_pipeline.defs.runs import latest_words

    try:
        return latest_words(home)
    except Exception as error:
        known = explain_all(error)
        if known is None:
            raise
        complain(f"the states of unfinished captures are not known. {known}")
        return {}


def _row(capture: CaptureSummary) -> tuple[str, ...]:
    if capture.finished_at is not None:
        finished = time.strftime("%Y-%m-%d %H:%M", time.localtime(capture.finished_at))
    else:
        finished = f"{capture.stages} of {len(STAGES)} stages"
    return capture.name, capture.status, capture.mode, finished, size(capture.bytes)


def print_status(name: str, *, as_json: bool) -> None:
    """Prints the stages of one capture and the word of its latest finished run."""
    screen, status = console(), read_status(_readable_home(), name)
    if as_json:
        screen.file.write(json.dumps(dataclasses.asdict(status)) + "\n")
        return
    table = Table(box=None, pad_edge=False, title=name, title_justify="left")
    for column in ("stage", "backend", "time", "memory", ""):
        table.add_column(column)
    for stage in STAGES[:-1]:
        table.add_row(stage, *_stage_cells(status.reports.get(stage)))
    screen.print(table)
    _print_outcome(screen, status)


def _stage_cells(report: StageReport | None) -> tuple[str, ...]:
    if report is None:
        return "", "", "", "not made"
    missed = [f"{a.backend} {a.outcome}: {a.reason}" for a in report.attempts if a.outcome is not Outcome.OK]
    memory = size(report.peak_memory_mb * 1e6)
    return report.backend, duration(report.seconds), memory, "; ".join(missed)


def _print_outcome(screen: Console, status: CaptureStatus) -> None:
    if status.metrics is None:
        screen.print("No run of this capture finished yet.")
        return
    try:
        metrics = read_metrics(status.metrics)
    except ValueError:
        screen.print("The report of its latest finished run was written by another version of ds3d.")
        return
    screen.print(f"latest finished run: {metrics.status}, mode {metrics.mode}")
    print_reasons(screen, metrics.reasons)


def clean(*, really: bool) -> None:
    """Prints what can go and how much that frees; removes it only `really`."""
    from ds3d_pipeline.defs.runs import find_running

    home, screen = prepare_home(), console()
    running = find_running(home)
    leftovers = find_leftovers(home, running)
    dropped = [leftover for leftover in leftovers if not really or drop(leftover)]
    for leftover in dropped:
        screen.print(f"{size(leftover.bytes):>9}  {leftover.kind:<14}  {leftover.path}")
    if running:
        screen.print(f"{plural(len(running), 'run')} still in progress, so stored results were kept.")
    screen.print(_verdict(dropped, really=really))


def _verdict(dropped: list[Leftover], *, really: bool) -> str:
    if not dropped:
        return "Nothing to clean up."
    total = size(sum(leftover.bytes for leftover in dropped))
    return f"Freed {total}." if really else f"{total} can be freed with `ds3d clean --yes`."
