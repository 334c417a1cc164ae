"""Which files of a finished folder are ours: a marker lists what we wrote, and nothing else is removed.

A folder without our marker belongs to somebody else and is refused. Inside ours, a file that the marker does
not list, or that was changed since, is the user's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.folders import file_sha256, sync_path
from ds3d_pipeline.programs.records import read_json, write_json

MARKER = ".ds3d.json"
FAILED = "failed"
"""A folder of ours inside a finished one, with a marker of its own: what a later run that failed left."""
LEGACY_MARKER = "metrics.json"
"""Says the same of folders that were published before there was a marker."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file as we wrote it. `mtime_ns` is 0 where it is not known: then its content decides."""

    bytes: int
    sha256: str
    mtime_ns: int = 0


@dataclass(frozen=True, kw_only=True)
class Marker:
    """What we wrote into a folder, by POSIX path."""

    capture: str
    files: dict[str, Written] = field(default_factory=dict[str, Written])
    staging: bool = False
    """Whether the folder is still being written, so that all in it is ours."""


def mark_staging(folder: Path, capture: str) -> None:
    """Says of a new, empty folder that all that will be in it is ours."""
    write_json(folder / MARKER, Marker(capture=capture, staging=True))


def mark_finished(folder: Path, capture: str, digests: Mapping[str, str]) -> None:
    """Lists every file of the folder as ours; `digests` has the hashes that are known already."""
    files = {name: _written(folder / name, digests.get(name)) for name in _names(folder) if name != MARKER}
    write_json(folder / MARKER, Marker(capture=capture, files=files))


def _written(path: Path, sha256: str | None) -> Written:
    stat = path.stat()
    return Written(bytes=stat.st_size, sha256=sha256 or file_sha256(path), mtime_ns=stat.st_mtime_ns)


def is_barely_begun(folder: Path) -> bool:
    """Whether a folder holds nothing but, at most, an unfinished marker: a kill left it so."""
    return folder.is_dir() and all(path.name.startswith(f".{MARKER}.") for path in folder.iterdir())


def read_marker(folder: Path) -> Marker | None:
    """The marker of a folder of ours; None where the folder is not ours."""
    try:
        return read_json(folder / MARKER, Marker)
    except FileNotFoundError:
        return _legacy_marker(folder)
    except (OSError, ValueError):
        return None


def _legacy_marker(folder: Path) -> Marker | None:
    try:
        metrics = read_json(folder / LEGACY_MARKER, dict[str, Any])
        entries = {name: Written(**entry) for name, entry in metrics["files"].items()}
        own = _written(folder / LEGACY_MARKER, None)
        return Marker(capture=str(metrics["capture"]), files=entries | {LEGACY_MARKER: own})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def check_output(output: Path, capture: str, inputs: Sequence[Path] = ()) -> None:
    """Raises InputError where `output`/<capture> cannot be ours, before any work is done.

    That is a folder with files in it that we did not make, a file, a folder that cannot be written, and a
    folder that holds one of the `inputs`.
    """
    folder = output / capture
    for path in inputs:
        if folder.resolve() in (path.resolve(), *path.resolve().parents):
            raise InputError(
                f"{path} is in {folder}, where the result would go.", "Choose another --output or --name."
            )
    if folder.is_dir() and not _is_ours(folder, capture):
        raise InputError(
            f"{folder} exists and was not made by ds3d, so nothing is written there.",
            "Choose another --output or --name.",
        )
    if not folder.is_dir() and os.path.lexists(folder):
        raise InputError(f"{folder} exists and is not a folder.", "Choose another --output or --name.")
    _check_writable(output)


def _is_ours(folder: Path, capture: str) -> bool:
    marker = read_marker(folder)
    return marker.capture == capture if marker else not any(folder.iterdir())


def _check_writable(output: Path) -> None:
    """Makes the folder to see whether it can be made, and leaves none behind."""
    made = [path for path in (output, *output.absolute().parents) if not os.path.lexists(path)]
    try:
        output.mkdir(parents=True, exist_ok=True)
        writable = os.access(output, os.W_OK | os.X_OK) and not _is_read_only(output)
        with contextlib.suppress(OSError):  # Another run may have begun to write there.
            for path in made:
                path.rmdir()
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{output} is not a folder.", "Choose another --output.") from error
    except OSError as error:
        raise InputError(
            f"{output} cannot be made: {error.strerror}.",
            "Check its permissions, or choose another --output.",
        ) from error
    if not writable:
        raise InputError(
            f"{output} cannot be written to.", "Check its permissions, or choose another --output."
        )


def _is_read_only(folder: Path) -> bool:
    """Of the disk itself, which even root cannot write to."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY) if hasattr(os, "statvfs") else False


def foreign_files(folder: Path, marker: Marker) -> list[str]:
    """POSIX paths of what is not ours in a folder of ours: added, or changed since we wrote it."""
    if marker.staging:
        return []
    return [name for name in _names(folder) if name != MARKER and not _is_as_written(folder, name, marker)]


def _is_as_written(folder: Path, name: str, marker: Marker) -> bool:
    path, written = folder / name, marker.files.get(name)
    if written is None or path.is_symlink():
        return False
    found = path.stat()
    if found.st_size != written.bytes:
        return False
    return found.st_mtime_ns == written.mtime_ns or file_sha256(path) == written.sha256


def _names(folder: Path) -> Iterator[str]:
    """Every file and link below a folder; links are not followed."""
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield (Path(parent) / name).relative_to(folder).as_posix()


def replace_folder(staged: Path, target: Path, aside: Path) -> list[str]:
    """Puts `staged` in the place of `target`, a folder of ours or none; what is the user's in it stays.

    `target` goes `aside` meanwhile: where this is cut, `finish_replacing` completes it. Returns the names of
    the files that were kept.
    """
    if target.exists():
        os.rename(target, aside)
    try:
        os.rename(staged, target)
    except OSError:
        if aside.exists():
            os.rename(aside, target)
        raise
    # Before what was there is removed.
    sync_path(target.parent)
    return finish_replacing(target, aside)


def finish_replacing(target: Path, aside: Path) -> list[str]:
    """Brings the user's files back from a folder that was moved aside, and removes ours from it."""
    if not aside.exists():
        return []
    remove_ours(aside / FAILED)
    kept = [_bring_back(aside, target, name) for name in foreign_files(aside, _marker_or_none(aside))]
    remove_ours(aside)
    _bring_back_folders(aside, target)
    return kept


def _marker_or_none(folder: Path) -> Marker:
    """Without a readable marker nothing in the folder is ours."""
    return read_marker(folder) or Marker(capture="")


def _bring_back(aside: Path, target: Path, name: str) -> str:
    place = next(path for path in _places(target / name) if not os.path.lexists(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    os.rename(aside / name, place)
    return place.relative_to(target).as_posix()


def _places(path: Path) -> Iterator[Path]:
    """The file's own name, and where we write one of that name, the same marked as the user's."""
    yield path
    yield path.with_name(f"{path.stem}.yours{path.suffix}")
    for number in range(2, 1_000_000):
        yield path.with_name(f"{path.stem}.yours-{number}{path.suffix}")


def _bring_back_folders(aside: Path, target: Path) -> None:
    """Empty folders of the user's are theirs, too."""
    if not aside.exists():
        return
    for parent, _, _ in os.walk(aside):
        (target / Path(parent).relative_to(aside)).mkdir(parents=True, exist_ok=True)
    _remove_empty(aside)


def remove_ours(folder: Path) -> list[str]:
    """Removes what the marker lists from a folder, and the folder where nothing is left.

    Returns the files that stay, which are the user's.
    """
    if not folder.is_dir():
        return []
    marker = _marker_or_none(folder)
    if marker.staging:
        shutil.rmtree(folder)
        return []
    kept = foreign_files(folder, marker)
    ours = [name for name in marker.files if name not in kept]
    for name in ours:
        (folder / name).unlink(missing_ok=True)
    for parent in sorted({parent for name in ours for parent in (folder / name).parents}, reverse=True):
        if folder in parent.parents and parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()
    # Last, so that whoever comes after a kill still knows the folder as ours, or finds it empty.
    (folder / MARKER).unlink(missing_ok=True)
    if ours and not any(folder.iterdir()):
        folder.rmdir()
    return kept


def _remove_empty(folder: Path) -> None:
    for parent, _, _ in os.walk(folder, topdown=False):
        if not any(Path(parent).iterdir()):
            Path(parent).rmdir()
