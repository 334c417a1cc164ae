"""The content of the watched folder: one entry per upload, with a stamp that changes while it is written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.capture.inputs import files_below
from ds3d_pipeline.capture.names import PHOTO_SUFFIXES, natural_key, printable
from ds3d_pipeline.programs.settings import read_folder
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.ownership import read_marker

REJECTED = "rejected"
SIDECAR_SUFFIX = ".toml"
PARTIAL_SUFFIXES = (".part", ".partial", ".crdownload", ".download", ".tmp")
"""How browsers and copying programs name what they have not finished."""
_OF_THE_SYSTEM = ("Thumbs.db", "desktop.ini")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One upload as it is there."""

    name: str
    """Relative to the folder, such as `quality/clip.mp4`; bytes that are no text are written out."""
    path: Path
    mode: str | None
    """Of the subfolder that it is in."""
    sidecar: Path | None
    stamp: str | None
    """Of names, sizes and times of its files; None while something says that it cannot be read so far."""
    why: str = ""
    """Why there is no stamp, to be read after the name."""
    settings: str
    """The same of the sidecar; empty without one."""

    @property
    def is_loose_photo(self) -> bool:
        return self.path.suffix.lower() in PHOTO_SUFFIXES and not self.path.is_dir()


def uploads_folder(home: Home) -> Path:
    """The watched folder: `DS3D_UPLOADS`, else `uploads/` of the home."""
    return read_folder("DS3D_UPLOADS") or home.root / "uploads"


def find_entries(folder: Path) -> list[Entry]:
    """Every upload right in `folder` and in its subfolders named after modes, in natural order."""
    found = list(_in_folder(folder, folder, None))
    for mode in MODES:
        found += _in_folder(folder, folder / mode, mode)
    return sorted(found, key=lambda entry: natural_key(entry.name))


def _in_folder(root: Path, folder: Path, mode: str | None) -> Iterator[Entry]:
    try:
        paths = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    except OSError as error:
        yield _entry(root, folder, mode, None, Look(why=f"cannot be read: {error.strerror}"))
        return
    for name, path in paths.items():
        if _is_upload(path, at_root=mode is None):
            sidecar = paths.get(path.stem + SIDECAR_SUFFIX) or paths.get(name + SIDECAR_SUFFIX)
            unfinished = name + PARTIAL_SUFFIXES[0] in paths
            yield _entry(root, path, mode, sidecar, _UNFINISHED if unfinished else look_at(path))


def _entry(root: Path, path: Path, mode: str | None, sidecar: Path | None, found: Look) -> Entry:
    return Entry(
        name=os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace"),
        path=path,
        mode=mode,
        sidecar=sidecar,
        stamp=found.stamp,
        why=found.why,
        settings=(look_at(sidecar).stamp or "unreadable") if sidecar else "",
    )


def _is_upload(path: Path, *, at_root: bool) -> bool:
    reserved = (REJECTED, *MODES, *_OF_THE_SYSTEM) if at_root else _OF_THE_SYSTEM
    return not (path.name in reserved or path.name.startswith(".") or path.suffix == SIDECAR_SUFFIX)


@dataclass(frozen=True, kw_only=True)
class Look:
    """The stamp of an upload, or why it has none, to be read after its name."""

    stamp: str | None = None
    why: str = ""


_UNFINISHED = Look(why="is still being written")


def look_at(path: Path) -> Look:
    """Digest of the names, sizes and times of a file or folder, or why there is none so far."""
    try:
        return _look_at(path)
    except FileNotFoundError:
        return _UNFINISHED
    except OSError as error:
        return Look(why=f"cannot be read: {error.strerror}")


def _look_at(path: Path) -> Look:
    is_folder = path.is_dir()
    if is_folder and read_marker(path):
        return Look(why="was made by ds3d: a result is no upload")
    digest, files = hashlib.sha256(), sorted(files_below(path)) if is_folder else [path]
    for file in files:
        if file.suffix.lower() in PARTIAL_SUFFIXES:
            return _UNFINISHED
        found = _stat(file)
        if found is None:
            inside = f"holds {printable(file.name)}, which " if file != path else ""
            return Look(why=f"{inside}is a link to nothing")
        digest.update(f"{found.st_size} {found.st_mtime_ns} ".encode() + os.fsencode(file) + b"\0")
    return Look(stamp=digest.hexdigest()[:16]) if files else Look(why="holds no files so far")


def _stat(file: Path) -> os.stat_result | None:
    """None for a link that leads nowhere, or back to itself."""
    try:
        return file.stat()
    except OSError:
        if file.is_symlink():
            return None
        raise
