"""What lies in the watched folder: one entry an upload, with a stamp that changes while it is written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.capture.names import PHOTO_SUFFIXES, natural_key
from ds3d_pipeline.programs.settings import read_folder
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.home import Home

REJECTED = "rejected"
SIDECAR_SUFFIX = ".toml"
PARTIAL_SUFFIXES = (".part", ".partial", ".crdownload", ".download", ".tmp")
"""How browsers and copying programs name what they have not finished."""
_OF_THE_SYSTEM = ("Thumbs.db", "desktop.ini")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One upload as it lies there."""

    name: str
    """Relative to the folder, such as `quality/clip.mp4`; bytes that are no text are written out."""
    path: Path
    mode: str | None
    """Of the subfolder that it lies in."""
    sidecar: Path | None
    stamp: str | None
    """Of names, sizes and times of its files; None while something says that it is unfinished."""
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
    paths = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    for name, path in paths.items():
        if _is_upload(path, at_root=mode is None):
            sidecar = paths.get(path.stem + SIDECAR_SUFFIX) or paths.get(name + SIDECAR_SUFFIX)
            yield Entry(
                name=os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace"),
                path=path,
                mode=mode,
                sidecar=sidecar,
                stamp=None if name + PARTIAL_SUFFIXES[0] in paths else stamp_of(path),
                settings=(stamp_of(sidecar) or "") if sidecar else "",
            )


def _is_upload(path: Path, *, at_root: bool) -> bool:
    reserved = (REJECTED, *MODES, *_OF_THE_SYSTEM) if at_root else _OF_THE_SYSTEM
    return not (path.name in reserved or path.name.startswith(".") or path.suffix == SIDECAR_SUFFIX)


def stamp_of(path: Path) -> str | None:
    """Digest of the names, sizes and times of a file or folder.

    None where a file is marked as unfinished or went away meanwhile, and for an empty folder.
    """
    digest, files = hashlib.sha256(), sorted(_files(path))
    try:
        for file in files:
            if file.suffix.lower() in PARTIAL_SUFFIXES:
                return None
            told = file.stat()
            digest.update(f"{told.st_size} {told.st_mtime_ns} ".encode() + os.fsencode(file) + b"\0")
    except FileNotFoundError:
        return None
    return digest.hexdigest()[:16] if files else None


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    for parent, _, names in os.walk(path):
        yield from (Path(parent) / name for name in names)
