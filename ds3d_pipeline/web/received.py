"""The files that were sent to the server for a capture, and their removal with it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import is_registered, registered_request


def received_folder(home: Home) -> Path:
    """Where uploads are kept, one folder each."""
    return home.received


def received_of(home: Home, job: str) -> list[Path]:
    """The folders that a capture's registered files are in, as far as the server received them."""
    request = registered_request(home, job) if is_registered(home, job) else None
    place = received_folder(home)
    inside = [path for path in (request.paths if request else []) if path.is_relative_to(place)]
    folders = {place / path.relative_to(place).parts[0] for path in inside if path != place}
    return sorted(folder for folder in folders if folder.is_dir())


def protect(folder: Path) -> None:
    """Nobody writes to these files any more: a stage that takes them over shares them, where it can."""
    if sys.platform == "win32":
        return  # Who may not write to a file there may not delete it either.
    for path in folder.iterdir():
        path.chmod(0o444)


def received_bytes(folders: Iterable[Path]) -> int:
    """What they have on the disk, without what a stored stage shares with them."""
    found = [path.stat() for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sum(file.st_size for file in found if file.st_nlink == 1)


def drop_received(folders: Iterable[Path]) -> None:
    """Removes them."""
    for folder in folders:
        shutil.rmtree(folder)
