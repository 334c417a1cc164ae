"""The manifest of a bundle: which files it has, and whether they are still what was sealed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from upath import UPath

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.programs.boots import boot_id
from ds3d_pipeline.programs.folders import file_sha256, replace_durably
from ds3d_pipeline.programs.records import write_json

REPORT = "report.json"
MANIFEST = "manifest.json"
VERSION = re.compile(r"[0-9a-f]{32}")
VERIFIED = ".verified"
"""Names the start of the machine in which all files were last known to have the manifest's hashes."""


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """A file as it was sealed; `mtime_ns` is 0 in manifests of earlier versions."""

    bytes: int
    sha256: str
    mtime_ns: int = 0
    or_sha256: str = ""
    """The content that the file has as well while it is being replaced; else empty."""

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        """The entry of a file that is there now."""
        found = path.stat()
        return cls(bytes=found.st_size, sha256=file_sha256(path), mtime_ns=found.st_mtime_ns)


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below `folder` with its POSIX name, in a fixed order; no report, manifest, hidden files."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (REPORT, MANIFEST) and not path.name.startswith("."):
            yield name, path


def content_version(entries: Mapping[str, FileEntry]) -> str:
    """The data version of these files: a hash of names and contents. The report is no content."""
    text = json.dumps({name: e.sha256 for name, e in entries.items() if name != REPORT}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_manifest(folder: UPath | Path) -> dict[str, FileEntry]:
    """The files of a bundle by POSIX name. Raises OSError or ValueError where it cannot be read."""
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, FileEntry]).validate_json((folder / MANIFEST).read_bytes())


class BundleDamaged(StageError):
    """Stored files are no longer what was sealed."""


def set_aside(folder: Path, fault: str) -> BundleDamaged:
    """Quarantines a bundle; returns the error that says so."""
    quarantine(folder)
    cause = f"A stored file of the stage {folder.parent.parent.name} was damaged ({fault}) and is set aside."
    return BundleDamaged(cause, "Run the same command again: it makes the file anew.")


def find_damage(folder: Path, *, thorough: bool = False) -> str | None:
    """Why the files of a sealed bundle are not what was sealed; None where they are.

    Size and time are compared always; hashes where a time differs, where the bundle was not verified since
    this machine started, and where `thorough` asks for it.
    """
    thorough = thorough or not _is_verified(folder)
    while True:
        manifest = _manifest_text(folder)
        fault = _find_fault(folder, thorough)
        # The report of a bundle may be replaced meanwhile, and its manifest with it.
        if fault is None or _manifest_text(folder) == manifest:
            break
    if thorough and fault is None:
        mark_verified(folder)
    return fault


def _manifest_text(folder: Path) -> bytes | None:
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError:
        return None


def _find_fault(folder: Path, thorough: bool) -> str | None:
    try:
        manifest = read_manifest(folder)
    except (OSError, ValueError):
        return MANIFEST
    if VERSION.fullmatch(folder.name) and content_version(manifest) != folder.name:
        return MANIFEST
    faults = (name for name, entry in manifest.items() if not _is_sound(folder / name, entry, thorough))
    return next(faults, None)


def _is_sound(path: Path, entry: FileEntry, thorough: bool) -> bool:
    try:
        if entry.or_sha256:
            return file_sha256(path) in (entry.sha256, entry.or_sha256)
        found = path.stat()
        if found.st_size != entry.bytes:
            return False
        return (found.st_mtime_ns == entry.mtime_ns and not thorough) or file_sha256(path) == entry.sha256
    except OSError:
        return False


def mark_verified(folder: Path) -> None:
    """Notes that all files are known to be what they should be, as long as the machine goes on."""
    # Without the mark, on a full disk for instance, they are read once more.
    with contextlib.suppress(OSError):
        (folder / VERIFIED).write_text(boot_id())


def _is_verified(folder: Path) -> bool:
    """Whether it was sealed or verified since the machine started: a power cut may have changed anything.

    Decided by the identity of that start where the system has one, since dates may be wrong.
    """
    mark, boot = folder / VERIFIED, boot_id()
    if not mark.exists():
        return False
    if boot:
        return mark.read_bytes() == boot.encode()
    import psutil

    return mark.stat().st_mtime > psutil.boot_time()


def replace_report(folder: Path, source: Path) -> None:
    """Gives a bundle the report of another one, `source`, with the same content.

    One process at a time; a reader, or whoever comes after a kill, finds one report or the other, whole.
    """
    earlier, later = read_manifest(folder), read_manifest(source)
    both = replace(later[REPORT], or_sha256=earlier[REPORT].sha256)
    write_json(folder / MANIFEST, earlier | {REPORT: both}, durable=True)
    partial = folder / f".{REPORT}.{uuid.uuid4().hex}.part"
    try:
        shutil.copyfile(source / REPORT, partial)
        replace_durably(partial, folder / REPORT)
    finally:
        partial.unlink(missing_ok=True)
    write_json(folder / MANIFEST, earlier | {REPORT: FileEntry.of(folder / REPORT)}, durable=True)


def quarantine(folder: Path) -> None:
    """Moves a bundle out of the way, quiet where there is none; `ds3d clean` removes it."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder, folder.with_name(f".damaged.{folder.name}.{uuid.uuid4().hex[:8]}"))
