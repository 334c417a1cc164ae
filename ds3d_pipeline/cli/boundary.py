"""Where every command ends: an exit code, and one cause with one remedy in place of a traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from ds3d_pipeline.cli.output import READER_GONE, ForgivingFile, complain, forgiving_output
from ds3d_pipeline.errors import InputError, StageError

OK, FAILED, UNUSABLE, CANCELLED = 0, 1, 2, 130
REPORT_IT = "This is a bug in ds3d, please report it"


def run_command(command: Callable[[], int], *, makes_something: bool = False) -> int:
    """Runs a command and returns its exit code.

    A command that `makes_something` keeps its code where nobody reads its output to the end.
    """
    with forgiving_output() as files, _ended_by_signals(), _quiet_threads(), _quiet_finalizers():
        code = _guarded(command)
        if files:
            sys.stdout.flush()
            code = _with_output(code, files[0], makes_something=makes_something)
    return code


def _guarded(command: Callable[[], int]) -> int:
    try:
        return command()
    except KeyboardInterrupt:
        complain("cancelled. Run the same command again to continue.")
        return CANCELLED
    except Exception as error:
        known = explain_all(error)
        if known is None:
            complain(unexpected(error))
            return FAILED
        complain(str(known))
        return UNUSABLE if isinstance(known, InputError) else FAILED


def _with_output(code: int, output: ForgivingFile, *, makes_something: bool) -> int:
    """The code of a command whose standard output could not be written to its end."""
    if output.fault is None or code != OK:
        return code
    if output.fault.errno == errno.EPIPE:
        return OK if makes_something else READER_GONE
    complain(f"the output could not be written: {output.fault.strerror}. Write it to another place.")
    return FAILED


def explain_all(error: BaseException) -> StageError | None:
    """Cause and remedy of every error that is not a bug of ours; None for one that is."""
    if isinstance(error, StageError):
        return error
    from ds3d_pipeline.cli.instance_faults import explain_instance
    from ds3d_pipeline.programs.faults import explain
    from ds3d_pipeline.storage.home import find_home

    root = find_home().root
    return explain_instance(error, root) or explain(error, (root, Path.cwd()))


def unexpected(error: BaseException) -> str:
    """One sentence about a bug; the traceback goes into a file."""
    text = " ".join(str(error).split())[:200]
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    log = write_traceback(error)
    where = f"with the log {log}" if log else "(no log could be written)"
    return f"unexpected error ({what}). {REPORT_IT} {where}."


def write_traceback(error: BaseException) -> Path | None:
    """Writes the traceback into the logs of the home, else into the folder for temporary files.

    Returns the file; None where neither can be written to.
    """
    text = "".join(traceback.format_exception(error))
    name = f"ds3d-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    for folder in _log_folders():
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return folder / name
    return None


def _log_folders() -> Iterator[Path]:
    from ds3d_pipeline.storage.home import find_home

    with contextlib.suppress(OSError, RuntimeError):
        yield find_home().logs / "errors"
    with contextlib.suppress(OSError):
        yield Path(tempfile.gettempdir())


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal (SIGHUP) end a command as Ctrl-C does; `nohup` keeps its meaning."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = {}
    if threading.current_thread() is threading.main_thread():
        names = ("SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        wanted = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        earlier = {number: signal.signal(number, interrupt) for number in wanted}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _quiet_threads() -> Iterator[None]:
    """An error that ends a thread goes into the log, in one sentence to the user."""

    def print_error(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
            complain(str(explain_all(failed.exc_value) or unexpected(failed.exc_value)))

    earlier, threading.excepthook = threading.excepthook, print_error
    try:
        yield
    finally:
        threading.excepthook = earlier


@contextlib.contextmanager
def _quiet_finalizers() -> Iterator[None]:
    """An error that nothing can catch, while a generator is closed for instance, goes into the log.

    One whose cause is known has stopped the command too, which then says it.
    """

    def log_error(failed: sys.UnraisableHookArgs) -> None:
        if failed.exc_value is None:
            return
        if explain_all(failed.exc_value):
            write_traceback(failed.exc_value)
        else:
            complain(unexpected(failed.exc_value))

    earlier, sys.unraisablehook = sys.unraisablehook, log_error
    try:
        yield
    finally:
        sys.unraisablehook = earlier
