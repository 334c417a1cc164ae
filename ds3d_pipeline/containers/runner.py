"""Programs in containers: the contract of `ds3d_pipeline.programs.runner`, kept by a Docker engine.

What creates, starts and awaits a container is handed in: see `Execute`. It may be deaf to interrupts and
remove nothing. So it runs on a thread of its own, the program writes its log into the file that the
child-process runner would write, and this module watches, explains and removes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ds3d_pipeline.containers.cleanup import engine_may_be_gone, find_containers, make_labels
from ds3d_pipeline.containers.engine import (
    ContainerSettings,
    Engine,
    connect,
    image_name,
    look_at_engine,
    look_now,
    read_settings,
    why_no_image,
)
from ds3d_pipeline.containers.failures import REMOVED, explain, explain_exit
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.rungs import Box
from ds3d_pipeline.programs.runner import POLL_S, LogTail, ProgramFailed, ProgramRun, finish_program
from ds3d_pipeline.storage.home import Home

if TYPE_CHECKING:
    from docker.models.containers import Container as RunningContainer
    from docker.types import Mount

MEASURE_EVERY_S = 1.0
REMOVAL_S = 4.0
ENGINE_SHARE = 0.9
"""Of the engine's memory, that a container may take where no limit is set."""
REDIRECT = 'exec "$@" >>"$0" 2>&1'
"""Makes the log a file, and the program the process whose exit code counts."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One program in one container; paths are the same inside and outside."""

    box: Box
    argv: tuple[str, ...]
    input: Path
    output: Path
    options_file: Path
    log_path: Path
    home: Home
    run_id: str
    step: str
    attempt: int

    @property
    def labels(self) -> dict[str, str]:
        """What identifies the container."""
        return make_labels(self.home, self.run_id, self.step, self.attempt)

    @property
    def caches(self) -> Path:
        """HOME of the program: what it compiles is kept for the next one."""
        return self.home.root / "container-home"


@dataclass(frozen=True, kw_only=True)
class Container:
    """What an engine is to create and start. Its process is `entrypoint` followed by `command`."""

    image: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env_vars: tuple[str, ...]
    """`NAME=value` each."""
    settings: Mapping[str, Any]
    """Further arguments of `docker.models.containers.ContainerCollection.create`."""


Execute = Callable[[Container], None]
"""Creates and starts a container without network, and returns once it has ended; raises whatever it likes."""


def run_container(
    execute: Execute,
    job: Job,
    *,
    on_line: Callable[[str], None] = lambda line: None,
    on_tick: Callable[[], None] = lambda: None,
) -> ProgramRun:
    """As `run_program`: the log goes to `on_line`, `result.json` comes back, ProgramFailed says why not.

    The container is gone when this returns or raises, on an interrupt too.
    """
    start = time.monotonic()
    _refuse_hopeless(job)
    _prepare_files(job)
    watched, tail = _Watched(job), LogTail(job.log_path, on_line)
    work = _Beside(lambda: execute(describe_container(job)))
    try:
        while not work.done.wait(POLL_S):
            watched.measure()
            tail.read()
            on_tick()
        watched.look()
    finally:
        _remove_until_ended(watched, work)
        tail.read(last=True)
    run = ProgramRun(result={}, seconds=time.monotonic() - start, peak_memory_mb=watched.peak_memory_mb)
    return _conclude(job, watched, work.error, run)


def _refuse_hopeless(job: Job) -> None:
    """What the probe saw may be gone since."""
    if missing := look_now().why_not or why_no_image(job.box.image):
        run = ProgramRun(result={}, seconds=0.0, peak_memory_mb=0.0)
        raise ProgramFailed(Outcome.FAILED, missing, log_tail="", exit_code=-1, run=run)


def _prepare_files(job: Job) -> None:
    """Mounts need what they mount, and this user must own it."""
    for folder in (job.log_path.parent, job.caches):
        folder.mkdir(parents=True, exist_ok=True)
    job.log_path.touch()


def describe_container(job: Job) -> Container:
    """The container of a job on the engine that answers now."""
    engine, settings = look_at_engine(), read_settings()
    has_gpu = job.box.gpu == "must" or (job.box.gpu == "if there" and engine.gpus)
    return Container(
        image=image_name(job.box.image),
        entrypoint=("sh", "-c", REDIRECT, str(job.log_path)),
        command=job.argv,
        env_vars=(f"HOME={job.caches}", f"DS3D_GPU={int(has_gpu)}"),
        settings={
            "init": True,
            "labels": job.labels,
            "working_dir": str(job.output),
            "mounts": _mounts(job, settings),
            "user": "0:0" if engine.rootless else f"{os.geteuid()}:{os.getegid()}",
            **_limits(engine, settings),
            **(_gpus() if has_gpu else {}),
        },
    )


def _mounts(job: Job, settings: ContainerSettings) -> list[Mount]:
    """The folders of the job, the input read-only; or the volume that holds them all, where there is one."""
    from docker.types import Mount

    if settings.home_volume:
        return [Mount(str(job.home.root), settings.home_volume, type="volume")]
    writable = [job.output, job.log_path, job.caches]
    return [
        Mount(str(path), str(path), type="bind", read_only=path not in writable)
        for path in (job.input, job.options_file, *writable)
    ]


def _limits(engine: Engine, settings: ContainerSettings) -> dict[str, Any]:
    memory = int(settings.memory_gb * 1e9) if settings.memory_gb else int(ENGINE_SHARE * engine.memory_bytes)
    return {
        "mem_limit": memory,
        "memswap_limit": memory,
        "nano_cpus": int(settings.cpus * 1e9) if settings.cpus else None,
        # Where the whole machine runs out of memory, the kernel takes this rather than the pipeline.
        "oom_score_adj": 500,
        "cap_drop": ["ALL"],
        # Where SELinux guards, mounted folders keep their labels and can be read all the same.
        "security_opt": ["no-new-privileges", "label=disable"],
    }


def _gpus() -> dict[str, Any]:
    from docker.types import DeviceRequest

    return {"device_requests": [DeviceRequest(count=-1, capabilities=[["gpu"]])]}


class _Beside:
    """A body on a thread: only the thread that waits for it gets interrupts."""

    def __init__(self, body: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self.done = threading.Event()
        self._body = body
        threading.Thread(target=self._run, name="container", daemon=True).start()

    def _run(self) -> None:
        try:
            self._body()
        except BaseException as error:
            self.error = error
        finally:
            self.done.set()


class _Watched:
    """The container of a job, found by its labels; quiet where it, or the engine, is not there."""

    def __init__(self, job: Job) -> None:
        self.peak_memory_mb = 0.0
        self.attrs: Mapping[str, Any] = {}
        self._client = connect()
        self._labels = job.labels
        self._next = time.monotonic() + MEASURE_EVERY_S

    def measure(self) -> None:
        """Notes the memory in use, now and then."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + MEASURE_EVERY_S
        with engine_may_be_gone():
            for container in self._find():
                now: Any = container.stats(stream=False, one_shot=True)
                self.peak_memory_mb = max(self.peak_memory_mb, _memory_mb(now["memory_stats"]))

    def look(self) -> None:
        """Keeps the state that the container is in."""
        with engine_may_be_gone():
            for container in self._find():
                self.attrs = container.attrs

    def remove(self) -> None:
        """Kills it first where it runs."""
        with engine_may_be_gone():
            for container in self._find():
                container.remove(force=True, v=True)

    def _find(self) -> list[RunningContainer]:
        return find_containers(self._client, self._labels)


def _memory_mb(used: Mapping[str, Any]) -> float:
    """Without the page cache, as `docker stats` shows it, under both versions of cgroups."""
    numbers = used.get("stats", {})
    cache = numbers.get("inactive_file", numbers.get("total_inactive_file", 0))
    return (used.get("usage", 0) - cache) / 1e6


def _remove_until_ended(watched: _Watched, work: _Beside) -> None:
    """Again until the thread has ended, as it may be about to create the container."""
    deadline = time.monotonic() + REMOVAL_S
    watched.remove()
    while not work.done.wait(POLL_S) and time.monotonic() < deadline:
        watched.remove()
    watched.remove()


def _conclude(job: Job, watched: _Watched, error: BaseException | None, run: ProgramRun) -> ProgramRun:
    state = watched.attrs.get("State", {})
    if state.get("Status") != "exited":
        reason = explain(str(error)) or _why_no_end(error)
        raise ProgramFailed(Outcome.CRASHED, reason, log_tail=str(error), exit_code=-1, run=run)
    limit_bytes = watched.attrs["HostConfig"]["Memory"]
    log = job.log_path.read_text(encoding="utf-8", errors="replace")
    crash = explain_exit(state, limit_bytes=limit_bytes, peak_memory_mb=run.peak_memory_mb) or explain(log)
    return finish_program(state["ExitCode"], job.output, job.log_path, run, crash=crash)


def _why_no_end(error: BaseException | None) -> str:
    """Of a container that cannot be found, or that was never started."""
    import docker.errors

    if engine_gone := look_now().why_not:
        return f"The Docker engine went away while the container ran. {engine_gone}"
    if isinstance(error, docker.errors.DockerException):
        return f"Docker could not run the container: {error}"
    return REMOVED
