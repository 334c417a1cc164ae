"""The child-process runner: a program in its own process group, watched and killed as a group."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from ds3d_pipeline.programs.causes import cause_in, known_in
from ds3d_pipeline.programs.contract import STAGE_ERROR_EXIT
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.faults import disk_full, find_full
from ds3d_pipeline.programs.threads import with_thread_limits

POLL_S = 0.1
TERM_GRACE_S = 2.0
LOG_TAIL_LINES = 15
KERNEL_ENDS_CHILDREN = sys.platform == "linux"
"""Whether a process can ask to be killed when its parent goes."""


@dataclass(frozen=True, kw_only=True)
class ProgramRun:
    """A program that finished well."""

    result: dict[str, Any]
    seconds: float
    peak_memory_mb: float


class ProgramFailed(Exception):
    """`outcome` is failed (the program said why), crashed (it did not) or input (nothing can help)."""

    def __init__(
        self, outcome: Outcome, reason: str, *, log_tail: str, exit_code: int, run: ProgramRun
    ) -> None:
        super().__init__(reason if outcome != Outcome.CRASHED or not log_tail else f"{reason}\n{log_tail}")
        self.outcome = outcome
        self.reason = reason
        self.log_tail = log_tail
        self.exit_code = exit_code
        self.run = run


def run_program(
    argv: Sequence[str],
    output: Path,
    *,
    log_path: Path,
    on_line: Callable[[str], None] = lambda line: None,
    on_tick: Callable[[], None] = lambda: None,
    env: dict[str, str] | None = None,
) -> ProgramRun:
    """Runs `argv`, streams its log to `on_line`, and reads `result.json` from `output`.

    Its libraries take no more threads than the CPUs that this process may use.
    Raises ProgramFailed with a reason and the tail of the log. Any interrupt in this process kills the
    whole process group first and is then passed on.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with _started(argv, log_path, env) as process:
        memory, tail = _PeakMemory(process.pid), LogTail(log_path, on_line)
        try:
            while process.poll() is None:
                memory.sample()
                tail.read()
                on_tick()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_S)
        finally:
            kill_group(process)
            tail.read(last=True)
    run = ProgramRun(result={}, seconds=time.monotonic() - start, peak_memory_mb=memory.peak_mb)
    return finish_program(process.returncode, output, log_path, run)


@contextlib.contextmanager
def _started(
    argv: Sequence[str], log_path: Path, env: dict[str, str] | None
) -> Generator[subprocess.Popen[bytes]]:
    """A program that does not outlive this process; see `programs.tied`."""
    with tied() as (words, passed), log_path.open("wb") as log:
        yield subprocess.Popen(
            [*words, *argv],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=passed,
            env=with_thread_limits(os.environ if env is None else env),
        )


@contextlib.contextmanager
def tied() -> Generator[tuple[list[str], tuple[int, ...]]]:
    """Words before a command that tie it to this process, and the descriptors that it inherits for that.

    Where the context ends, so does a program that is tied by a descriptor. On Linux the thread counts that
    started the program: it must live as long.
    """
    stub = [sys.executable, "-I", "-S", str(Path(__file__).with_name("tied.py"))]
    if KERNEL_ENDS_CHILDREN:
        yield [*stub, str(os.getpid())], ()
        return
    theirs, ours = os.pipe()
    try:
        yield [*stub, "--pipe", str(theirs)], (theirs,)
    finally:
        os.close(ours)
        os.close(theirs)


def finish_program(
    exit_code: int, output: Path, log_path: Path, run: ProgramRun, *, crash: str | None = None
) -> ProgramRun:
    """`run` with the result of a program that has ended; `crash` is why, where the runner knows better.

    Raises ProgramFailed where the program ended with another exit code than 0.
    """
    if exit_code != 0:
        raise _failure(exit_code, output, log_path, run, crash)
    result = json.loads((output / "result.json").read_text(encoding="utf-8"))
    return replace(run, result=result)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Ends every process of the group: SIGTERM, then SIGKILL after two seconds. Quiet where none is left."""
    if not _signal_group(process.pid, signal.SIGTERM):
        return
    deadline = time.monotonic() + TERM_GRACE_S
    while time.monotonic() < deadline:
        process.poll()
        if not _signal_group(process.pid, 0):
            return
        time.sleep(0.05)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _failure(
    exit_code: int, output: Path, log_path: Path, run: ProgramRun, crash: str | None
) -> ProgramFailed:
    log = log_path.read_text(encoding="utf-8", errors="replace")
    tail = "\n".join(log.splitlines()[-LOG_TAIL_LINES:])
    error = output / "error.json"
    if exit_code == STAGE_ERROR_EXIT and error.exists():
        error_record = json.loads(error.read_text(encoding="utf-8"))
        outcome = Outcome.INPUT if error_record["kind"] == "input" else Outcome.FAILED
        reason = f"{error_record['cause']} {error_record['remedy']}"
    elif find_full([output, log_path.parent]):
        outcome, reason = Outcome.INPUT, str(disk_full([output, log_path.parent]))
    else:
        outcome = Outcome.CRASHED
        reason = crash or _crash_reason(exit_code, run.peak_memory_mb, log, log_path)
    return ProgramFailed(outcome, reason, log_tail=tail, exit_code=exit_code, run=run)


def _crash_reason(exit_code: int, peak_memory_mb: float, log: str, log_path: Path) -> str:
    if exit_code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return out_of_memory(peak_memory_mb)
    if exit_code < 0:
        return known_in(log) or f"The program crashed with {signal.Signals(-exit_code).name}."
    if cause := cause_in(log):
        return cause
    return f"The program ended with exit code {exit_code} without saying why: see {log_path}."


def out_of_memory(at_mb: float) -> str:
    """Cause and remedy of a program that was killed for its memory, whatever it ran in."""
    return (
        f"The program was killed (signal 9) at {at_mb:.0f} MB: most likely memory ran out. "
        "Close other programs, or choose a smaller mode."
    )


class _PeakMemory:
    """Highest sum of resident memory over the program's processes."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.peak_mb = 0.0

    def sample(self) -> None:
        with contextlib.suppress(psutil.Error):
            family = [self._process, *self._process.children(recursive=True)]
            self.peak_mb = max(self.peak_mb, sum(p.memory_info().rss for p in family) / 1e6)


class LogTail:
    """Hands each new whole line of a growing file on."""

    def __init__(self, path: Path, on_line: Callable[[str], None]) -> None:
        self._path = path
        self._on_line = on_line
        self._position = 0
        self._rest = ""

    def read(self, *, last: bool = False) -> None:
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        self._position += len(data)
        *lines, self._rest = (self._rest + data.decode("utf-8", errors="replace")).split("\n")
        if last and self._rest:
            lines.append(self._rest)
        for line in lines:
            self._on_line(line.rstrip())
