"""The files that were sent to the server for a capture, and their removal with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import is_registered, registered_request


def received_folder(home: Home) -> Path:
    """Where uploads are kept, one folder each."""
    return home.root / "received"


def received_of(home: Home, job: str) -> list[Path]:
    """The folders that a capture's registered files are in, as far as the server received them."""
    request = registered_request(home, job) if is_registered(home, job) else None
    place = received_folder(home)
    inside = [path for path in (request.paths if request else []) if path.is_relative_to(place)]
    folders = {place / path.relative_to(place).parts[0] for path in inside if path != place}
    return sorted(folder for folder in folders if folder.is_dir())


def drop_received(folders: Iterable[Path]) -> int:
    """Removes them and returns how many bytes they had."""
    freed = 0
    for folder in folders:
        freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
    return freed
