"""Locks between the processes of a home. The system frees a lock when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def locked(
    path: Path, while_waiting: Callable[[], None] | None = None, *, poll_s: float = 1.0
) -> Generator[None]:
    """Holds the lock at `path` until the context ends; makes the file where there is none.

    While another process (or thread) holds it, this one sleeps, and calls `while_waiting` every `poll_s`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        while not _take(file):
            if while_waiting:
                while_waiting()
            time.sleep(poll_s)
        yield


def _take(file: IO[bytes]) -> bool:
    """False where another holds it. It is freed by closing the file."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
