"""Locks between processes, by a file: the system lets go of them when their holder ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path

IN_USE = ".in-use"
"""In a folder that goes when its maker ends; locked as long as that works there."""


def is_in_use(folder: Path) -> bool:
    """Whether somebody holds the lock of this folder; False where it has none."""
    if not (folder / IN_USE).is_file():
        return False
    try:
        with locked_if_free(folder / IN_USE) as is_free:
            return not is_free
    except FileNotFoundError:
        return False  # It has just gone.


@contextlib.contextmanager
def locked(path: Path) -> Generator[None]:
    """Holds the lock of the file `path`; waits without using the processor while another holds it."""
    handle = _open(path)
    try:
        _wait(handle)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked_if_free(path: Path) -> Generator[bool]:
    """Holds the lock if nobody else does, and says whether it does."""
    handle = _open(path)
    try:
        yield _try(handle)
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


if sys.platform == "win32":
    import msvcrt
    import time

    def _wait(handle: int) -> None:
        # The system's own waiting gives up after ten seconds.
        while not _try(handle):
            time.sleep(0.1)

    def _try(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _wait(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)

    def _try(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
