"""What the command line prints: streams that cannot end a run, and text that is never taken for markup."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from ds3d_pipeline.programs.library_errors import users_stderr

if TYPE_CHECKING:
    from rich.console import Console

READER_GONE = 141
"""How a shell reports a program that was ended by SIGPIPE."""


class ForgivingFile(io.FileIO):
    """A file descriptor that takes every write: a run goes on where its output cannot be written.

    `fault` is the first error that was met; what is written after it is dropped.
    """

    fault: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Always takes all of `data`."""
        size = memoryview(data).nbytes
        if self.fault is None:
            try:
                return super().write(data)
            except OSError as error:
                self.fault = error
        return size


@contextlib.contextmanager
def forgiving_output() -> Iterator[list[ForgivingFile]]:
    """Makes the streams of this program forgiving, and able to show every character somehow.

    Gives their files, standard output first; none where the streams are not those of the process, in a
    notebook or a test for instance.
    """
    _fill_closed()
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__ or sys.stdout is None:
        yield []
        return
    earlier = sys.stdout, sys.stderr
    files = [ForgivingFile(stream.fileno(), "w", closefd=False) for stream in earlier]
    sys.stdout, sys.stderr = (_text(file, like) for file, like in zip(files, earlier, strict=True))
    try:
        yield files
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = earlier


def _fill_closed() -> None:
    """Opens what a shell closed (`>&-`): or else a database opened next would be standard output."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError as error:
            if error.errno == errno.EBADF:
                os.open(os.devnull, os.O_RDWR)


def _text(file: ForgivingFile, like: TextIO) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=like.encoding,
        errors="backslashreplace",
        line_buffering=like.line_buffering if isinstance(like, io.TextIOWrapper) else True,
    )


def console(*, stderr: bool = False) -> Console:
    """The one way to print text with rich: names and paths are shown as they are, `[red]` included."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)


def complain(text: str) -> None:
    """Prints one line on standard error, without characters that a terminal obeys."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    print(f"ds3d: {line}", file=users_stderr(), flush=True)
