"""Dagster's code location and daemon, brought by the server where none runs.

They are tied to this process: the kernel ends them with it, `kill -9` included. A run is not: it is a child
of the code server, survives that, and finishes by itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg

from ds3d_pipeline.defs.code_server import end_lost_runs, find_lost_runs
from ds3d_pipeline.defs.instance import open_instance
from ds3d_pipeline.defs.runs import end_dead_runs
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.execution.heartbeat import kill_group
from ds3d_pipeline.names import DEFINITIONS
from ds3d_pipeline.programs.runner import tied
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.web.daemons import beats, note_own_daemons

_STARTS_WITHIN_S = 120.0
_ENDS_WITHIN_S = 5.0
_AGAIN_AFTER_S = 5.0
_LOG_BYTES = 5_000_000
_QUIET = ("--log-level", "warning")
"""Else each look at the queue is a line, every second."""


class Services:
    """One code server and one daemon of a home, from `start` to `stop`; all calls come from one thread."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._open = contextlib.ExitStack()
        # The path of a socket has 108 bytes at most, so it is not below the home.
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="ds3d-")))
        self._socket, self._workspace = folder / "code", folder / "workspace.yaml"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._started_at: dict[str, float] = {}
        self._is_held = self._is_noted = False

    def start(self) -> None:
        """Returns once the code server answers; the daemon then needs some seconds more.

        Raises StageError where the code server does not start.
        """
        with open_instance(self._home) as instance:
            end_dead_runs(instance, self._home)
        place = f"grpc_server: {{socket: {self._socket}, location_name: {DEFINITIONS}}}"
        self._workspace.write_text(f"load_from:\n  - {place}\n", encoding="utf-8")
        self._start("code")
        end = time.monotonic() + _STARTS_WITHIN_S
        while not self._socket.exists():
            if self._processes["code"].poll() is not None or time.monotonic() > end:
                raise StageError(
                    "Dagster's code server did not start.", f"See {self._log('code')} for the reason."
                )
            time.sleep(0.1)
        self._start("daemon")

    def _start(self, name: str) -> None:
        words, descriptors = self._open.enter_context(tied())
        with self._log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*words, sys.executable, "-m", *self._command(name)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=descriptors,
                # Ctrl-C in the terminal is for the server alone, which ends these in order.
                start_new_session=True,
            )
        self._started_at[name] = time.monotonic()
        self._is_noted = self._is_noted and name != "daemon"

    def _command(self, name: str) -> list[str]:
        if name == "daemon":
            return ["ds3d_pipeline.defs.daemon", "run", "-w", str(self._workspace), *_QUIET]
        self._socket.unlink(missing_ok=True)
        where = ["--socket", str(self._socket), "--location-name", DEFINITIONS]
        return ["ds3d_pipeline.defs.grpc_server", *where, *_QUIET]

    def _log(self, name: str) -> Path:
        path = self._home.logs / "server" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def tend(self, instance: dg.DagsterInstance) -> None:
        """Brings back what has died, and notes which daemon is ours; called about once a second."""
        for name, process in list(self._processes.items()):
            is_due = time.monotonic() - self._started_at[name] > _AGAIN_AFTER_S
            if process.poll() is not None and is_due and not (self._is_held and name == "daemon"):
                self._start(name)
        if not self._is_noted and "daemon" in self._processes:
            self._note_daemon(instance)

    def _note_daemon(self, instance: dg.DagsterInstance) -> None:
        started_at = time.time() - (time.monotonic() - self._started_at["daemon"])
        ours = {of for at, of in beats(instance) if at > started_at}
        if ours:
            note_own_daemons(self._home, ours)
            self._is_noted = True

    def hold(self) -> None:
        """Ends the daemon, so that no further run is started; those that go on do."""
        self._is_held = True
        _end(self._processes.get("daemon"))

    def end_runs(self, instance: dg.DagsterInstance) -> None:
        """Ends every run that goes on; the next daemon takes them up from the last finished stage."""
        self.hold()
        runs = find_lost_runs(instance)
        for run_id in runs:
            kill_group(self._home.work / run_id)
        end_lost_runs(instance, self._home, runs)

    def stop(self) -> None:
        """Ends both."""
        self.hold()
        _end(self._processes.get("code"))
        self._open.close()


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """Politely, then by force, with what it started."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
