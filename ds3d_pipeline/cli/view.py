"""`ds3d view`: shows a capture until Ctrl-C, while it is made too."""

from __future__ import annotations

import contextlib
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.storage.home import Home, find_home, outputs_folder, prepare_home
from ds3d_pipeline.storage.registrations import is_registered
from ds3d_pipeline.viewer.finished import find_finished, read_exhibit
from ds3d_pipeline.viewer.growing import Growth, find_growth, read_growth
from ds3d_pipeline.viewer.server import HOST, read_picture, show, start_viewer, stop_viewer
from ds3d_pipeline.viewer.stand import go_to_stand

if TYPE_CHECKING:
    import viser

LOOK_EVERY_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Made:
    """A capture that a run makes."""

    home: Home
    capture: str
    run_id: str
    output: Path

    def growth(self) -> Growth:
        """How far it is."""
        return find_growth(self.home, self.capture, self.run_id)

    def finished(self) -> Path | None:
        """Its folder, once it is published."""
        for output in (self.output, outputs_folder(self.home)):
            with contextlib.suppress(InputError):
                return find_finished(self.capture, output)
        return None


def view(capture: str, output: Path, *, port: int, open_browser: bool, say: Callable[[str], None]) -> None:
    """Serves until interrupted. Raises InputError where CAPTURE is neither finished nor being made."""
    made = None
    try:
        exhibit = read_exhibit(find_finished(capture, output))
    except InputError:
        made = _find_made(capture, output)
        if made is None:
            raise
        exhibit = read_growth(made.growth())
    server = start_viewer(exhibit, port)
    url = f"http://{HOST}:{server.get_port()}"
    if server.get_port() != port:
        say(f"Port {port} is in use, so port {server.get_port()} was taken.")
    say(f"Viewing {exhibit.name} at {url} - press Ctrl-C to stop.")
    if open_browser:
        webbrowser.open(url)
    with contextlib.suppress(KeyboardInterrupt):
        if made:
            follow(server, made, say)
        while True:
            time.sleep(LOOK_EVERY_S)
    stop_viewer(server)


def follow(server: viser.ViserServer, made: Made, say: Callable[[str], None]) -> None:
    """Shows what the finished stages have made, and returns once the whole capture is shown."""
    before, picture = Growth(capture=made.capture, folders={}, picture=None), None
    while (folder := made.finished()) is None:
        now = made.growth()
        if picture is not None and now.picture and now.folders == before.folders:
            if now.picture != before.picture:
                picture.image = read_picture(now.picture)
        elif now != before:
            picture = _show_growth(server, now, before)
            say(now.note)
        before = now
        time.sleep(LOOK_EVERY_S)
    show(server, read_exhibit(folder))
    say(f"Finished: {folder}")


def _show_growth(server: viser.ViserServer, now: Growth, before: Growth) -> viser.GuiImageHandle | None:
    exhibit = read_growth(now)
    picture = show(server, exhibit)
    # Before there were cameras nobody could choose a place.
    if "poses" not in before.folders and exhibit.reconstruction is not None:
        go_to_stand(server, exhibit)
    return picture


def _find_made(capture: str, output: Path) -> Made | None:
    """The capture of this name, where a run of it goes on."""
    if not is_registered(find_home(), capture):
        return None
    from ds3d_pipeline.defs.runs import find_run_of

    home = prepare_home()
    run_id = find_run_of(home, capture)
    return Made(home=home, capture=capture, run_id=run_id, output=output) if run_id else None


def open_report(capture: str, output: Path, say: Callable[[str], None]) -> None:
    """Opens the report in the browser. Raises InputError where CAPTURE is no finished capture."""
    report = (find_finished(capture, output) / "report.html").absolute()
    say(f"Opening {report}")
    webbrowser.open(report.as_uri())
