"""What libraries print on standard error during a run: kept for a bug report, not shown to the user."""

import contextlib
import io
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import TextIO


class LibraryErrors(io.StringIO):
    """Takes the place of `sys.stderr`, which is kept as `user`."""

    def __init__(self, user: TextIO) -> None:
        super().__init__()
        self.user = user


def users_stderr() -> TextIO:
    """Where a sentence for the user goes, also while libraries are kept aside."""
    return sys.stderr.user if isinstance(sys.stderr, LibraryErrors) else sys.stderr


@contextlib.contextmanager
def library_errors_in(folder: Path) -> Generator[None]:
    """Collects what Python libraries write to `sys.stderr`, and leaves it as one file in `folder`.

    A disk that has no room for that file is no reason to stop.
    """
    errors = LibraryErrors(users_stderr())
    try:
        with contextlib.redirect_stderr(errors):
            yield
    finally:
        if text := errors.getvalue():
            _keep(text, folder)


def _keep(text: str, folder: Path) -> None:
    name = f"libraries-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
