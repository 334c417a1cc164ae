"""What the command line was asked for and has no run in Dagster yet, so that others see that it waits.

locks/asked/<id>/asked.json        what was asked for
locks/asked/<id>/heartbeat.json    the process that waits; `execution.heartbeat` says whether it goes on
locks/asked/<id>/cancelled         somebody does not want it any more
"""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ds3d_pipeline.execution.journal import FolderJournal, Journal
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.home import Home

_RECORD = "asked.json"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request; a run of its capture that was created later is the run of it."""

    id: str
    capture: str
    mode: str
    upload: str
    """How the user calls it."""
    at: float
    """In seconds since 1970."""


class Onlooker(Protocol):
    """What somebody who waits calls meanwhile: the part of a `Display` that is there for that."""

    def wait_for(self, capture: str, since: float) -> None:
        """See `Display`."""
        ...

    def look(self) -> None:
        """See `Display`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Stoppable:
    """A display of somebody who waits, whom others may ask to wait no longer."""

    display: Onlooker
    asked: Journal

    def wait_for(self, capture: str, since: float) -> None:
        """As the display does."""
        self.display.wait_for(capture, since)

    def look(self) -> None:
        """As the display does; raises KeyboardInterrupt once the request is cancelled."""
        self.display.look()
        if self.asked.is_cancelled():
            raise KeyboardInterrupt


@contextlib.contextmanager
def asked_for(home: Home, request: RunRequest, display: Onlooker) -> Iterator[Stoppable]:
    """Keeps the request in the home as long as the context lasts, from before it waits for its turn on."""
    folder = _folder(home, uuid.uuid4().hex)
    folder.mkdir(parents=True)
    asked = Asked(
        id=folder.name, capture=request.capture, mode=request.mode, upload=request.upload, at=time.time()
    )
    journal = FolderJournal(folder)
    try:
        with journal.beating():
            write_json(folder / _RECORD, asked)
            yield Stoppable(display=display, asked=journal)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def all_asked(home: Home) -> list[Asked]:
    """The requests whose process goes on, in their order; what a killed one left is removed."""
    found: list[Asked] = []
    for record in (home.locks / "asked").glob(f"*/{_RECORD}"):
        match FolderJournal(record.parent).is_going():
            case False:
                shutil.rmtree(record.parent, ignore_errors=True)
            case True:
                with contextlib.suppress(FileNotFoundError, ValueError):
                    found.append(read_json(record, Asked))
            case None:
                continue  # It has just ended.
    return sorted(found, key=lambda asked: asked.at)


def is_unwanted(home: Home, asked: Asked) -> bool:
    """Whether a request was cancelled that has not ended yet."""
    return FolderJournal(_folder(home, asked.id)).is_cancelled()


def stop_waiting(home: Home, name: str) -> None:
    """Ends the process that waits for the request of this id, as Ctrl-C would; nothing where it is gone."""
    folder = _folder(home, name)
    if folder.is_dir():
        FolderJournal(folder).cancel()


def _folder(home: Home, name: str) -> Path:
    return home.locks / "asked" / name
