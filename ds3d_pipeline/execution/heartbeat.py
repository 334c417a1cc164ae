"""Whether the process that a run depends on still goes on, whatever became of clocks and host names.

In one system (one boot, one namespace of process numbers) number and start of the process decide at once.
Otherwise its heartbeat does: a file's time, set to the steady clock of the boot that it beats in. A container
beside ours shares that clock. Of another machine, two looks `GONE_AFTER_S` apart by our own clock are
compared.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.programs.boots import boot_id
from ds3d_pipeline.programs.records import read_json, write_json

BEAT_S = 5.0
GONE_AFTER_S = 60.0
"""Without a beat. A busy machine may be late by some beats."""
_BEAT = "heartbeat.json"


@dataclass(frozen=True, kw_only=True)
class System:
    """Where a process lives."""

    host: str
    boot: str
    """Differs after every start of the machine; empty where the system has none."""
    numbers: str
    """The namespace of process numbers; containers have their own."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """The process that a run depends on. `started` separates it from a later one with its number."""

    system: System
    pid: int
    started: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """What an observer saw, and when by the steady clock of its own boot."""

    beat_ns: int
    at_s: float


def this_system() -> System:
    """The one that this process lives in."""
    numbers = Path("/proc/self/ns/pid")
    return System(
        host=socket.gethostname(),
        boot=boot_id(),
        numbers=os.readlink(numbers) if os.path.lexists(numbers) else "",
    )


def process_start(pid: int) -> str | None:
    """When a process started, in words that no change of the clock alters; None where it has ended."""
    if sys.platform != "linux":
        return _start_elsewhere(pid)
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may hold anything; then come the state, and as the twentieth the start in ticks.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _start_elsewhere(pid: int) -> str | None:
    """macOS and Windows remember the start itself, not the time since the boot."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None


@contextlib.contextmanager
def beating(folder: Path) -> Generator[None]:
    """This process is the one that the run in `folder` depends on, until the context ends."""
    folder.mkdir(parents=True, exist_ok=True)
    pid = os.getpid()
    write_json(folder / _BEAT, Process(system=this_system(), pid=pid, started=process_start(pid) or ""))
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(folder / _BEAT, stop), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def forget(folder: Path) -> None:
    """Nothing is known of a process any more: it has ended in order."""
    (folder / _BEAT).unlink(missing_ok=True)


def _beat(path: Path, stop: threading.Event) -> None:
    """Sets a time and writes nothing, so that a full disk does not stop the heart."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, ns=(time.monotonic_ns(), time.monotonic_ns()))
        if stop.wait(BEAT_S):
            return


def is_going(folder: Path, here: System | None = None) -> bool | None:
    """Whether the process of the run in `folder` still goes on; None where nothing is known of it."""
    try:
        process, beat_ns = read_json(folder / _BEAT, Process), (folder / _BEAT).stat().st_mtime_ns
    except (FileNotFoundError, ValueError):
        return None
    here, there = here or this_system(), process.system
    if there == here or (there.boot and (there.boot, there.numbers) == (here.boot, here.numbers)):
        return process_start(process.pid) == process.started
    if there.boot and there.boot == here.boot:
        return time.monotonic() - beat_ns / 1e9 < GONE_AFTER_S
    if there.boot and there.host == here.host:
        return False  # This machine was started anew.
    return _beats(folder, beat_ns, here)


def kill_group(folder: Path) -> None:
    """Kills the process of the run in `folder` with its whole group, where it goes on in this system."""
    try:
        process = read_json(folder / _BEAT, Process)
    except (FileNotFoundError, ValueError):
        return
    if process.system == this_system() and process_start(process.pid) == process.started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(os.getpgid(process.pid), signal.SIGKILL)


def _beats(folder: Path, beat_ns: int, here: System) -> bool:
    """Of another machine, whose clocks say nothing here: compared with what was seen before."""
    path = folder / f"seen-by-{here.host}.{here.boot}.json"
    try:
        before = read_json(path, Look)
    except (FileNotFoundError, ValueError):
        before = None
    now_s = time.monotonic()
    if before is None or before.beat_ns != beat_ns:
        write_json(path, Look(beat_ns=beat_ns, at_s=now_s))
        return True
    return now_s - before.at_s < GONE_AFTER_S
