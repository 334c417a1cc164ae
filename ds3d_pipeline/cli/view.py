"""`ds3d view`: shows a capture until Ctrl-C."""

from __future__ import annotations

import contextlib
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

from ds3d_pipeline.viewer.finished import find_finished, read_exhibit
from ds3d_pipeline.viewer.server import HOST, start_viewer, stop_viewer


def view(capture: str, output: Path, *, port: int, open_browser: bool, say: Callable[[str], None]) -> None:
    """Serves until interrupted. Raises InputError where CAPTURE is no finished capture."""
    exhibit = read_exhibit(find_finished(capture, output))
    server = start_viewer(exhibit, port)
    url = f"http://{HOST}:{server.get_port()}"
    if server.get_port() != port:
        say(f"Port {port} is in use, so port {server.get_port()} was taken.")
    say(f"Viewing {exhibit.name} at {url} - press Ctrl-C to stop.")
    if open_browser:
        webbrowser.open(url)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    stop_viewer(server)


def open_report(capture: str, output: Path, say: Callable[[str], None]) -> None:
    """Opens the report in the browser. Raises InputError where CAPTURE is no finished capture."""
    report = (find_finished(capture, output) / "report.html").absolute()
    say(f"Opening {report}")
    webbrowser.open(report.as_uri())
