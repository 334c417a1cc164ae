"""A run on the screen: bars on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from ds3d_pipeline.cli.next_steps import next_steps
from ds3d_pipeline.cli.output import console
from ds3d_pipeline.execution.progress import Display, Reader, RunState, StageState
from ds3d_pipeline.metrics.record import Metrics, metrics_json
from ds3d_pipeline.poses.report import PosesReport
from ds3d_pipeline.programs.words import about, duration
from ds3d_pipeline.splats.report import describe_training

if TYPE_CHECKING:
    from rich.console import Console

TICK_S = 0.5
LINE_EVERY_TICKS = 20


def make_display(capture: str, *, as_json: bool) -> Display:
    """The display that fits where the output goes."""
    if as_json:
        return LineDisplay(capture, as_json=True)
    screen = console()
    return LiveDisplay(capture, screen) if screen.is_terminal else LineDisplay(capture, as_json=False)


@contextlib.contextmanager
def _ticking(tick: Any) -> Iterator[None]:
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(TICK_S):
            tick()

    thread = threading.Thread(target=loop, name="display", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        tick()


class LiveDisplay:
    """A bar for the whole run and one a stage, redrawn in place."""

    def __init__(self, capture: str, console: Console) -> None:
        self._capture = capture
        self._console = console

    def wait_for(self, capture: str, since: float) -> None:
        """A line above the bars."""
        self._console.print(_waiting(capture, since))

    @contextlib.contextmanager
    def following(self, read: Reader) -> Iterator[None]:
        """Redraws twice a second."""
        first = read()
        self._console.print(_forecast_line(self._capture, first))
        bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[text]}"),
            console=self._console,
            auto_refresh=False,
        )
        tasks = [bars.add_task(name, total=1.0, text="") for name in ("all", *_names(first))]
        with bars, _ticking(lambda: _redraw(bars, tasks, read())):
            yield

    def look(self) -> None:
        """Nothing: `following` has a thread of its own."""

    def finish(self, metrics: Metrics, folder: str) -> None:
        """A table of files and the status."""
        print_result(self._console, metrics, folder)


def _names(run: RunState) -> list[str]:
    return [state.stage for state in run.stages]


def _redraw(bars: Progress, tasks: list[TaskID], run: RunState) -> None:
    bars.update(tasks[0], completed=run.fraction, text=_left(run.remaining_s))
    for task, state in zip(tasks[1:], run.stages, strict=True):
        bars.update(task, completed=_shown_fraction(state), text=_bar_text(state))
    bars.refresh()


def _shown_fraction(state: StageState) -> float:
    return 1.0 if state.state in ("done", "reused") else state.fraction if state.state == "running" else 0.0


def _bar_text(state: StageState) -> str:
    if state.state != "running":
        spent = duration(state.seconds) if state.seconds else ""
        return " ".join(word for word in (state.state, state.backend, spent) if word)
    return ", ".join(part for part in (state.message[:60], _left(state.remaining_s)) if part)


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"{about(seconds)} left"


def _forecast_line(capture: str, run: RunState) -> str:
    """Before anything runs: how long it should take."""
    if run.remaining_s is None or all(state.state == "reused" for state in run.stages):
        return capture
    return f"{capture}: {about(run.remaining_s)} on this machine"


class LineDisplay:
    """One line for every change, and one every ten seconds."""

    def __init__(self, capture: str, *, as_json: bool) -> None:
        self._as_json = as_json
        self._capture = capture
        self._console = console()
        self._shown: dict[str, tuple[str, str]] = {}
        self._ticks = 0
        self._say({"event": "capture", "capture": capture}, f"capture {capture}")

    def _say(self, record: dict[str, Any], text: str) -> None:
        line = json.dumps(record) if self._as_json else text
        self._console.file.write(line + "\n")
        self._console.file.flush()

    def wait_for(self, capture: str, since: float) -> None:
        """A line."""
        self._say({"event": "waiting", "capture": capture, "since": since}, _waiting(capture, since))

    @contextlib.contextmanager
    def following(self, read: Reader) -> Iterator[None]:
        """Looks twice a second."""
        first = read()
        expected = {"event": "forecast", "capture": self._capture, "seconds": first.remaining_s}
        self._say(expected, _forecast_line(self._capture, first))
        with _ticking(lambda: self._tick(read())):
            yield

    def _tick(self, run: RunState) -> None:
        self._ticks += 1
        for state in run.stages:
            now = (state.state, state.backend)
            is_due = state.state == "running" and self._ticks % LINE_EVERY_TICKS == 0
            if is_due or (state.state != "waiting" and self._shown.get(state.stage) != now):
                self._shown[state.stage] = now
                self._say({"event": "stage", **dataclasses.asdict(state)}, _line(state))

    def look(self) -> None:
        """Nothing: `following` has a thread of its own."""

    def finish(self, metrics: Metrics, folder: str) -> None:
        """The files and the status."""
        if self._as_json:
            self._say({"event": "result", "folder": folder, "metrics": metrics_json(metrics)}, "")
        else:
            print_result(self._console, metrics, folder)


def _waiting(capture: str, since: float) -> str:
    began = time.strftime("%H:%M", time.localtime(since))
    return f"Waiting for {capture} (run since {began}) to finish."


def _line(state: StageState) -> str:
    parts = [f"{state.stage:<11}", state.state, state.backend]
    if state.state == "running":
        parts.append(f"{state.fraction:.0%}")
        if state.remaining_s is not None:
            parts.append(_left(state.remaining_s))
    elif state.seconds:
        parts.append(f"{state.seconds:.1f} s")
    return " ".join(part for part in [*parts, state.message] if part)


def print_result(screen: Console, metrics: Metrics, folder: str) -> None:
    """Files with sizes, numbers, the honest word, where it is, and what to do next."""
    table = Table(box=None, pad_edge=False)
    table.add_column("file")
    table.add_column("size", justify="right")
    for name, entry in metrics.files.items():
        if "/" not in name:
            table.add_row(name, f"{entry.bytes / 1e6:.1f} MB")
    screen.print(table)
    if metrics.poses:
        _print_cameras(screen, metrics.poses)
    if metrics.splat and metrics.splat.iterations:
        screen.print(f"splat: {describe_training(metrics.splat)}")
    screen.print(f"status: {metrics.status}")
    print_reasons(screen, metrics.reasons)
    for line in next_steps(metrics, folder):
        screen.print(line)


def print_reasons(screen: Console, reasons: Sequence[str]) -> None:
    """The one that matters, and the others under "Details"."""
    for first in reasons[:1]:
        screen.print(f"  {first}")
    if len(reasons) > 1:
        screen.print("  Details:")
        for reason in reasons[1:]:
            screen.print(f"  - {reason}")


def _print_cameras(screen: Console, poses: PosesReport) -> None:
    error = poses.mean_reprojection_error_px
    exactness = "" if error is None else f", {error:.2f} px"
    screen.print(f"aligned: {poses.registered} of {poses.total} keyframes{exactness}")
    if poses.unregistered_text:
        screen.print(f"  {poses.unregistered_text}")
