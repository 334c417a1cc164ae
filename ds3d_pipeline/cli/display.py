"""A run on the screen: a live table on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.table import Table

from ds3d_pipeline.cli.output import console
from ds3d_pipeline.execution.progress import Display, Reader, StageState
from ds3d_pipeline.metrics.record import Metrics, metrics_json
from ds3d_pipeline.poses.report import PosesReport

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
    """One row a stage, redrawn in place."""

    def __init__(self, capture: str, console: Console) -> None:
        self._capture = capture
        self._console = console

    def wait_for(self, capture: str, since: float) -> None:
        """A line above the table."""
        self._console.print(_waiting(capture, since), markup=False, highlight=False)

    @contextlib.contextmanager
    def following(self, read: Reader) -> Iterator[None]:
        """Redraws twice a second."""
        live = Live(self._table(read()), console=self._console, auto_refresh=False)
        with live, _ticking(lambda: live.update(self._table(read()), refresh=True)):
            yield

    def _table(self, states: list[StageState]) -> Table:
        table = Table(title=self._capture, title_justify="left", box=None, pad_edge=False)
        for name in ("stage", "state", "backend", "time", "left", ""):
            table.add_column(name)
        for s in states:
            state = f"{s.fraction:.0%}" if s.state == "running" else s.state
            left = f"{s.remaining_s:.0f} s" if s.remaining_s is not None else ""
            spent = f"{s.seconds:.1f} s" if s.seconds else ""
            table.add_row(s.stage, state, s.backend, spent, left, s.message[:60])
        return table

    def look(self) -> None:
        """Nothing: `following` has a thread of its own."""

    def finish(self, metrics: Metrics, folder: str) -> None:
        """A table of files and the status."""
        print_result(self._console, metrics, folder)


class LineDisplay:
    """One line for every change, and one every ten seconds."""

    def __init__(self, capture: str, *, as_json: bool) -> None:
        self._as_json = as_json
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
        with _ticking(lambda: self._tick(read())):
            yield

    def _tick(self, states: list[StageState]) -> None:
        self._ticks += 1
        for state in states:
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
            parts.append(f"about {state.remaining_s:.0f} s left")
    elif state.seconds:
        parts.append(f"{state.seconds:.1f} s")
    return " ".join(part for part in [*parts, state.message] if part)


def print_result(screen: Console, metrics: Metrics, folder: str) -> None:
    """Files with sizes, numbers and the honest word."""
    table = Table(box=None, pad_edge=False, title=folder, title_justify="left")
    table.add_column("file")
    table.add_column("size", justify="right")
    for name, entry in metrics.files.items():
        if "/" not in name:
            table.add_row(name, f"{entry.bytes / 1e6:.1f} MB")
    screen.print(table)
    if metrics.poses:
        _print_cameras(screen, metrics.poses)
    screen.print(f"status: {metrics.status}")
    for reason in metrics.reasons:
        screen.print(f"  {reason}")


def _print_cameras(screen: Console, poses: PosesReport) -> None:
    error = poses.mean_reprojection_error_px
    exactness = "" if error is None else f", {error:.2f} px"
    screen.print(f"aligned: {poses.registered} of {poses.total} keyframes{exactness}")
    if poses.unregistered_text:
        screen.print(f"  {poses.unregistered_text}")
