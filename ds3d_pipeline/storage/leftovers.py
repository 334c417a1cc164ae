"""Files of a home that nothing refers to any more: found first, dropped only on demand."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.locks import is_in_use
from ds3d_pipeline.storage.bundles import CURRENT, LOCK, current_version
from ds3d_pipeline.storage.home import Home

SUPERSEDED, HALF, SCRATCH, CACHED = "superseded", "half published", "scratch", "cached"


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A folder or file with its size; `kind` is superseded, half published, scratch or cached."""

    path: UPath
    kind: str
    bytes: int


def find_leftovers(home: Home, running: Collection[str]) -> list[Leftover]:
    """What can go. While runs with the ids `running` go on, only the scratch folders of other runs."""
    found = list(_scratch(home, running))
    if not running:
        for place in _places(home):
            found += _in_place(place)
        found += _in_cache(home)
    return found


def find_old_leftovers(home: Home, running: Collection[str], scratch_s: float) -> list[Leftover]:
    """`find_leftovers` without the scratch folders that something was written to in the last `scratch_s`."""
    since = time.time() - scratch_s
    found = find_leftovers(home, running)
    return [leftover for leftover in found if leftover.kind != SCRATCH or _newest(leftover.path) < since]


def _newest(path: UPath) -> float:
    return max(file.stat().st_mtime for file in (path, *path.rglob("*")))


def _scratch(home: Home, running: Collection[str]) -> Iterator[Leftover]:
    for path in sorted(home.work.iterdir()) if home.work.is_dir() else ():
        if path.name not in running and not is_in_use(path):
            yield _leftover(UPath(path), SCRATCH)


def _places(home: Home) -> Iterator[UPath]:
    for stage in STAGES:
        asset = UPath(home.storage) / stage
        yield from (place for place in (asset.iterdir() if asset.exists() else ()) if place.is_dir())


def _in_place(place: UPath) -> Iterator[Leftover]:
    """Without a pointer the first publication is under way or was killed: nothing there counts yet."""
    current = current_version(place)
    for path in place.iterdir():
        if path.name == LOCK:
            continue
        if path.name.startswith("."):
            yield _leftover(path, HALF)
        elif path.name not in (CURRENT, current):
            yield _leftover(path, SUPERSEDED if current else HALF)


def _in_cache(home: Home) -> Iterator[Leftover]:
    """Downloads of bundles that are not the current ones at a remote storage."""
    for path in sorted((home.root / "cache").glob("*/*/*")):
        asset, capture = path.parts[-3:-1]
        if path.name != current_version(UPath(home.storage) / asset / capture):
            yield _leftover(UPath(path), CACHED)


def _leftover(path: UPath, kind: str) -> Leftover:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return Leftover(path=path, kind=kind, bytes=sum(file.stat().st_size for file in files))


def drop(leftover: Leftover) -> bool:
    """Removes it and says so; keeps what became current again since it was found."""
    path = leftover.path
    if leftover.kind in (SUPERSEDED, HALF) and current_version(path.parent) == path.name:
        return False
    if path.is_file():
        path.unlink()
    elif isinstance(path, Path):
        shutil.rmtree(path)
    else:
        path.rmdir(recursive=True)
    return True
