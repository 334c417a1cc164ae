"""Bundles: what a stage made, as a folder of files, published in one step and found by its content.

    <storage>/<asset>/<capture>/<hash>/...files, report.json, manifest.json
    <storage>/<asset>/<capture>/CURRENT         the hash that counts

The manifest is written last and the pointer flips after it, so a reader never sees half a bundle.
`report.json` tells how the files came about; it is no content and stays out of the hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.programs.records import read_json, write_json

REPORT = "report.json"
MANIFEST = "manifest.json"
CURRENT = "CURRENT"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One rung of a ladder: `outcome` is ok, failed, crashed, cancelled, passed over or clamped.

    A clamped one is followed by the outcome of its run at a smaller size.
    """

    backend: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0


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
    """The program's own `result.json`."""
    shortfall: str | None = None
    """What the artifact lacks because this backend made it; None where it lacks nothing."""
    faults: tuple[str, ...] = ()
    """What is wrong with the files themselves; such a bundle is kept to look at, and read by no stage."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A stage's files in a local folder. `data_version` is the hash of their content."""

    folder: Path
    data_version: str
    report: StageReport


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    bytes: int
    sha256: str


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below `folder` with its POSIX name, in a fixed order, without report and manifest."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (REPORT, MANIFEST):
            yield name, path


def seal(folder: Path, report: StageReport) -> Bundle:
    """Makes a bundle of a finished folder: hashes its files, writes the report and then the manifest."""
    entries = {
        name: FileEntry(bytes=p.stat().st_size, sha256=file_sha256(p)) for name, p in list_files(folder)
    }
    text = json.dumps({name: entry.sha256 for name, entry in entries.items()}, sort_keys=True)
    version = hashlib.sha256(text.encode()).hexdigest()[:32]
    write_json(folder / REPORT, report)
    write_json(folder / MANIFEST, entries)
    return Bundle(folder=folder, data_version=version, report=report)


def _is_local(path: UPath | Path) -> bool:
    return isinstance(path, Path)


def publish(bundle: Bundle, place: UPath) -> None:
    """Puts a sealed bundle under `place` (`<storage>/<asset>/<capture>`) and makes it the current one."""
    target = place / bundle.data_version
    if _is_local(place):
        _publish_locally(bundle, Path(str(place)), Path(str(target)))
    else:
        _upload(bundle.folder, target)
        (place / CURRENT).write_text(bundle.data_version)


def _publish_locally(bundle: Bundle, place: Path, target: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    if target.exists():
        for name in (REPORT, MANIFEST):
            _replace_file(bundle.folder / name, target / name)
    else:
        _move_folder(bundle.folder, target)
    pointer = place / f".{CURRENT}.{uuid.uuid4().hex}"
    pointer.write_text(bundle.data_version)
    os.replace(pointer, place / CURRENT)


def _replace_file(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    shutil.copyfile(source, partial)
    os.replace(partial, target)


def _move_folder(source: Path, target: Path) -> None:
    """A rename on one disk; over disks a copy beside the target, then a rename."""
    try:
        os.rename(source, target)
    except OSError:
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        shutil.copytree(source, partial)
        os.rename(partial, target)


def _upload(folder: Path, target: UPath) -> None:
    names = [name for name, _ in list_files(folder)]
    for name in [*names, REPORT, MANIFEST]:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((folder / name).read_bytes())


def current_version(place: UPath) -> str | None:
    """The data version that counts at `place`, None where nothing is published."""
    pointer = place / CURRENT
    return pointer.read_text().strip() if pointer.exists() else None


def current_report(place: UPath) -> tuple[str, StageReport] | None:
    """Data version and report of the current bundle, without fetching its files."""
    from pydantic import TypeAdapter

    version = current_version(place)
    if version is None or not (place / version / MANIFEST).exists():
        return None
    return version, TypeAdapter(StageReport).validate_json((place / version / REPORT).read_bytes())


def fetch(place: UPath, cache: Path) -> Bundle:
    """The current bundle as a local folder; a remote one is downloaded into `cache` once.

    Raises FileNotFoundError where nothing is published.
    """
    version = current_version(place)
    if version is None:
        raise FileNotFoundError(f"nothing is published at {place}: materialise that asset first")
    folder = Path(str(place / version)) if _is_local(place) else _download(place / version, cache)
    report = read_json(folder / REPORT, StageReport)
    return Bundle(folder=folder, data_version=version, report=report)


def _download(source: UPath, cache: Path) -> Path:
    folder = cache / source.parent.parent.name / source.parent.name / source.name
    if not (folder / MANIFEST).exists():
        partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        entries = json.loads((source / MANIFEST).read_text())
        for name in [*entries, REPORT, MANIFEST]:
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((source / name).read_bytes())
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(partial, folder)
    return folder


def link_tree(source: Path, target: Path) -> None:
    """Lays the files of `source` into `target` by hard links, by copies where links are impossible."""
    for name, path in list_files(source):
        link_file(path, target / name)


def link_file(source: Path, target: Path) -> None:
    """One file of `link_tree`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Never write through a link that stands there: its content belongs to another bundle.
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
