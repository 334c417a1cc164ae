"""Folders and files that programs hand on."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def clear_folder(folder: Path) -> Path:
    """An empty folder at this path."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def sync_folder(folder: Path) -> None:
    """Returns once every file and folder below has reached the disk, so that a power cut leaves no holes."""
    for parent, _, names in os.walk(folder):
        for path in (*(Path(parent) / name for name in names), Path(parent)):
            sync_path(path)


def replace_durably(partial: Path, path: Path) -> None:
    """Puts a finished file in the place of another; a power cut leaves one of them, whole."""
    sync_path(partial)
    os.replace(partial, path)
    sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Returns once a file's content, or a folder's list of names, has reached the disk.

    Folders cannot be opened on Windows, where their entries need no call of their own.
    """
    if path.is_symlink() or (os.name == "nt" and path.is_dir()):
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
