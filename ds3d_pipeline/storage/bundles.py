"""Bundles: what a stage made, as a folder of files, published in one step and found by its content.

    <storage>/<asset>/<capture>/<hash>/...files, report.json, manifest.json
    <storage>/<asset>/<capture>/CURRENT         the hash that counts

The manifest is written last and the pointer flips after it, so a reader never sees half a bundle.
`report.json` records how the files were made; it is no content and stays out of the hash.
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from upath import UPath

from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.folders import file_sha256, replace_durably, sync_folder, sync_path
from ds3d_pipeline.programs.locks import locked
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.manifest import (
    MANIFEST,
    REPORT,
    VERIFIED,
    VERSION,
    BundleDamaged,
    FileEntry,
    content_version,
    find_damage,
    list_files,
    mark_verified,
    quarantine,
    read_manifest,
    replace_report,
    set_aside,
)

CURRENT = "CURRENT"
LOCK = ".lock"
"""Held by whoever publishes at a place."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One rung of a ladder."""

    backend: str
    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0
    compile_seconds: float = 0.0
    """Of them, spent on compiling kernels, once per machine."""

    def __post_init__(self) -> None:
        # A word that is none of the outcomes raises ValueError here, and not where it is read.
        object.__setattr__(self, "outcome", Outcome(self.outcome))


@dataclass(frozen=True, kw_only=True)
class StageReport:
    """How a stage's files came about."""

    stage: str
    backend: str
    attempts: tuple[Attempt, ...]
    seconds: float
    peak_memory_mb: float
    fingerprint: str
    """Hash of what the files depend on: code, options and the bundles read."""
    result: dict[str, Any]
    """The program's own `result.json`: `read` gives it as a record."""
    shortfall: str | None = None
    """What the artifact lacks because this backend made it; None where it lacks nothing."""
    faults: tuple[str, ...] = ()
    """What is wrong with the files themselves; such a bundle is kept to look at, and read by no stage."""

    def read(self, report_type: type[T]) -> T:
        """The result as the record of its stage; raises ValueError where it is none."""
        from pydantic import TypeAdapter

        return TypeAdapter(report_type).validate_python(self.result)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A stage's files in a local folder. `data_version` is the hash of their content."""

    folder: Path
    data_version: str
    report: StageReport


def seal(folder: Path, report: StageReport) -> Bundle:
    """Makes a bundle of a finished folder: hashes its files, writes the report and then the manifest."""
    (folder / VERIFIED).unlink(missing_ok=True)
    entries = {name: FileEntry.of(path) for name, path in list_files(folder)}
    write_json(folder / REPORT, report)
    # A power cut after this must find every file that the manifest names, whole.
    sync_folder(folder)
    write_json(folder / MANIFEST, entries | {REPORT: FileEntry.of(folder / REPORT)}, durable=True)
    mark_verified(folder)
    version = content_version(entries)
    return Bundle(folder=folder, data_version=version, report=report)


def _is_local(path: UPath | Path) -> bool:
    return isinstance(path, Path)


def publish(bundle: Bundle, place: UPath) -> None:
    """Puts a sealed bundle under `place` (`<storage>/<asset>/<capture>`) and makes it the current one."""
    target = place / bundle.data_version
    if _is_local(place):
        with locked(Path(str(place)) / LOCK):
            _publish_locally(bundle, Path(str(place)), Path(str(target)))
    else:
        _upload(bundle.folder, target)
        (place / CURRENT).write_text(bundle.data_version)


def _publish_locally(bundle: Bundle, place: Path, target: Path) -> None:
    if target.exists() and not find_damage(target, thorough=True):
        replace_report(target, bundle.folder)
    else:
        quarantine(target)
        _move_folder(bundle.folder, target)
        sync_path(place)
    pointer = place / f".{CURRENT}.{uuid.uuid4().hex}"
    pointer.write_text(bundle.data_version)
    replace_durably(pointer, place / CURRENT)


def _move_folder(source: Path, target: Path) -> None:
    """A rename on one disk; over disks a copy beside the target, then a rename."""
    try:
        os.rename(source, target)
    except OSError:
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        shutil.copytree(source, partial)
        sync_folder(partial)
        os.rename(partial, target)


def _upload(folder: Path, target: UPath) -> None:
    names = [name for name, _ in list_files(folder)]
    for name in [*names, REPORT, MANIFEST]:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((folder / name).read_bytes())


def current_version(place: UPath) -> str | None:
    """The data version that counts at `place`; None where nothing is published, or the pointer is damaged."""
    pointer = place / CURRENT
    text = pointer.read_bytes().decode(errors="replace").strip() if pointer.exists() else ""
    return text if VERSION.fullmatch(text) else None


def current_report(place: UPath) -> tuple[str, StageReport] | None:
    """Data version and report of the current bundle, without fetching its files; None where it is damaged."""
    version = current_version(place)
    if version is None or not (place / version / MANIFEST).exists():
        return None
    try:
        return version, _read_report(place / version)
    except (OSError, ValueError):
        return None


def _read_report(folder: UPath) -> StageReport:
    from pydantic import TypeAdapter

    return TypeAdapter(StageReport).validate_json((folder / REPORT).read_bytes())


def set_damaged_aside(place: UPath, *, thorough: bool) -> bool:
    """Quarantines the current bundle where its files are no longer what was sealed, and says whether.

    `thorough` reads every file; a storage that is not local is trusted here, and checked when it is fetched.
    """
    version = current_version(place)
    if version is None or not _is_local(place):
        return False
    folder = Path(str(place / version))
    if current_report(place) and not find_damage(folder, thorough=thorough):
        return False
    quarantine(folder)
    return True


def fetch(place: UPath, cache: Path, version: str | None = None) -> Bundle:
    """A bundle, the current one by default, as a local folder; a remote one is downloaded into `cache` once.

    Raises FileNotFoundError where nothing is published, and BundleDamaged where the files are no longer what
    was sealed; those are set aside, so that the same run makes them again.
    """
    version = version or current_version(place)
    if version is None:
        raise FileNotFoundError(f"nothing is published at {place}: materialise that asset first")
    folder = Path(str(place / version)) if _is_local(place) else _download(place / version, cache)
    if not folder.exists():
        raise BundleDamaged(
            f"The stored files of the stage {folder.parent.parent.name} are gone.",
            "Run the same command again: it makes them again.",
        )
    if fault := find_damage(folder):
        raise set_aside(folder, fault)
    try:
        return Bundle(folder=folder, data_version=version, report=read_json(folder / REPORT, StageReport))
    except (OSError, ValueError) as error:
        raise set_aside(folder, REPORT) from error


def _download(source: UPath, cache: Path) -> Path:
    folder = cache / source.parent.parent.name / source.parent.name / source.name
    if not (folder / MANIFEST).exists():
        partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        entries = read_manifest(source)
        for name in {*entries, REPORT, MANIFEST}:
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((source / name).read_bytes())
        for name, entry in entries.items():
            _settle(partial / name, entry, source)
        mark_verified(partial)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(partial, folder)
    return folder


def _settle(path: Path, entry: FileEntry, source: UPath) -> None:
    """Gives a downloaded file the manifest's time; raises BundleDamaged where its content differs."""
    if file_sha256(path) != entry.sha256:
        (source.parent / CURRENT).unlink()
        cause = f"The stored file {source / path.name} is damaged and is not used any more."
        raise BundleDamaged(cause, "Run the same command again: it makes the file anew.")
    if entry.mtime_ns:
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))


def link_tree(source: Path, target: Path) -> None:
    """Lays the files of `source` into `target` by hard links, by copies where links are impossible."""
    for name, path in list_files(source):
        link_file(path, target / name)


def link_file(source: Path, target: Path) -> None:
    """One file of `link_tree`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Never write through a link that is there: its content belongs to another bundle.
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
