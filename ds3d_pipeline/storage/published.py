"""Where the finished folders of a capture are: noted in the home before anything is written there."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from ds3d_pipeline.programs.locks import locked
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.home import Home, outputs_folder
from ds3d_pipeline.storage.ownership import read_marker


@contextlib.contextmanager
def publishing(home: Home, capture: str, output: Path) -> Generator[None]:
    """Notes that files of a capture go to `output`/<capture>. One process of a home publishes at a time.

    So the later of two runs replaces the folder of the earlier whole, and neither takes the other's half for
    one that a killed process left.
    """
    with locked(home.locks / "publishing"):
        folders = {*_noted(home, capture), str((output / capture).absolute())}
        index_path(home, capture).parent.mkdir(exist_ok=True)
        write_json(index_path(home, capture), sorted(folders), durable=True)
        yield


def index_path(home: Home, capture: str) -> Path:
    """The file that lists the folders of a capture."""
    return home.root / "published" / f"{capture}.json"


def _noted(home: Home, capture: str) -> list[str]:
    try:
        return read_json(index_path(home, capture), list[str])
    except (FileNotFoundError, ValueError):
        return []


def published_folders(home: Home, capture: str) -> list[Path]:
    """Those of them that are there and ours; the one in the home's own outputs is found without a note."""
    noted = [*map(Path, _noted(home, capture)), outputs_folder(home) / capture]
    return [folder for folder in dict.fromkeys(noted) if _is_of(folder, capture)]


def _is_of(folder: Path, capture: str) -> bool:
    marker = read_marker(folder) if folder.is_dir() else None
    return marker is not None and marker.capture == capture
