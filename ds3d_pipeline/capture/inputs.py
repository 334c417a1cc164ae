"""Finds and classifies what the user passed. Nothing is opened here."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.capture.names import (
    VIDEO_SUFFIXES,
    natural_key,
    printable,
    slug,
)
from ds3d_pipeline.capture.picking import MEDIA_SUFFIXES, pick, without_live_videos
from ds3d_pipeline.errors import InputError, UnreadableError
from ds3d_pipeline.scene import CaptureKind
from ds3d_pipeline.storage.ownership import read_marker

_ACCEPTED = (
    "Pass one video (mp4, m4v, 3gp, mov, avi, mkv, webm), "
    "or photos (jpg, png, bmp, webp, tif, heic, avif), a folder or a zip of them."
)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One capture as the user's own files: one video, one zip of photos, or photos in natural order."""

    kind: CaptureKind
    files: tuple[Path, ...]
    names: tuple[str, ...]
    """How the user knows each file: its name, or its path inside the folder that was passed."""
    title: str
    """Stem of the file, or name of the folder, that the capture is named after."""
    unused: tuple[str, ...] = ()
    """What is left out by its name, one sentence for each kind of file."""

    @property
    def is_zip(self) -> bool:
        return self.files[0].suffix.lower() == ".zip"


def find_inputs(paths: Sequence[Path]) -> Inputs:
    """Classifies `paths`: one video, or photos, folders of photos, or one zip of photos.

    A folder means the photos or the video directly inside it or, if there are none, those below it, as
    `picking` says; hidden files and folders that ds3d made are left out. Nothing is opened. Raises InputError
    for a missing or unsupported file, an empty folder, two videos, and a mixture.
    """
    if not paths:
        raise InputError("No input was given.", _ACCEPTED)
    found: dict[Path, tuple[str, Path]] = {}
    unused: list[str] = []
    for path in paths:
        for name, file in _expanded(path, unused):
            found.setdefault(file.resolve(), (name, file))
    named = sorted(found.values(), key=lambda item: natural_key(item[0]))
    names, live = without_live_videos([name for name, _ in named])
    kept = set(names)
    named = [(name, file) for name, file in named if name in kept]
    _refuse_mixture([file for _, file in named])
    first = paths[0]
    return Inputs(
        kind="video" if _suffix(named[0][1]) in VIDEO_SUFFIXES else "photos",
        files=tuple(file for _, file in named),
        names=tuple(name for name, _ in named),
        title=first.resolve().name if first.is_dir() else first.stem,
        unused=(*unused, *live),
    )


def capture_id(inputs: Inputs, sha256: str) -> str:
    """`<slug of the title>-<8 hex digits>`: a safe name of file, folder and partition."""
    return f"{slug(inputs.title)}-{sha256[:8]}"


def _suffix(path: Path) -> str:
    return path.suffix.lower()


def _expanded(path: Path, unused: list[str]) -> Iterator[tuple[str, Path]]:
    """The files that one argument refers to, each with the user's name for it; adds to `unused`."""
    shown = printable(str(path))
    if re.match(r"[a-z][a-z0-9+.-]+:/", shown, re.IGNORECASE):
        url = shown.replace(":/", "://", 1)
        raise InputError(f"{url} is an address, not a file.", "Download it, and pass the file.")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"{shown} does not exist.", "Check the path.") from error
    except OSError as error:
        raise UnreadableError(f"{shown} cannot be read: {error.strerror}.", "Check the path.") from error
    if stat.S_ISDIR(mode):
        yield from _folder_files(path, shown, unused)
    elif not stat.S_ISREG(mode):
        raise InputError(f"{shown} is neither a file nor a folder.", _ACCEPTED)
    elif _suffix(path) in MEDIA_SUFFIXES | {".zip"}:
        yield printable(path.name), path
    else:
        raise InputError(f"{printable(path.name)} has an unsupported file type.", _ACCEPTED)


def _folder_files(folder: Path, shown: str, unused: list[str]) -> Iterator[tuple[str, Path]]:
    if read_marker(folder):
        raise InputError(
            f"The folder {shown} was made by ds3d: it is a result and cannot be the input.",
            "Pass the video or the photos that it was made of.",
        )
    picked = pick(name for name in _walk(folder, shown) if (folder / name).is_file())
    if not picked.names:
        why = " ".join((f"The folder {shown} contains no photos or video.", *picked.unused))
        raise InputError(printable(why), _ACCEPTED)
    unused += map(printable, picked.unused)
    for name in picked.names:
        yield printable(name), folder / name


def _walk(folder: Path, shown: str) -> Iterator[str]:
    """Relative POSIX paths of all files below `folder` that can be input."""
    try:
        yield from (path.relative_to(folder).as_posix() for path in files_below(folder))
    except OSError as error:
        cause = f"The folder {shown} cannot be read: {error.strerror}."
        raise UnreadableError(cause, "Check its permissions.") from error


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in no order: links to folders and the results of ds3d are left out.

    Raises OSError for a folder that cannot be read.
    """
    remaining = [folder]
    while remaining:
        inner, names = _listed(remaining.pop())
        yield from names
        remaining += [path for path in inner if not read_marker(path)]


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders right inside, without links, and whatever is no folder."""
    with os.scandir(folder) as entries:
        found = [
            (Path(entry.path), entry.is_dir(follow_symlinks=False), _is_folder(entry)) for entry in entries
        ]
    return [path for path, own, _ in found if own], [path for path, _, any_folder in found if not any_folder]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link that leads back to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _refuse_mixture(files: list[Path]) -> None:
    videos = [printable(file.name) for file in files if _suffix(file) in VIDEO_SUFFIXES]
    zips = [printable(file.name) for file in files if _suffix(file) == ".zip"]
    single = videos + zips
    if len(files) == 1 or not single:
        return
    if len(videos) > 1:
        raise InputError(
            f"{videos[0]} and {videos[1]} are two videos; a capture is one.", "Pass one of them."
        )
    other = next(name for file in files if (name := printable(file.name)) != single[0])
    raise InputError(f"{single[0]} and {other} cannot be one capture.", _ACCEPTED)
