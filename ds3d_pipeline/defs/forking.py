"""Where the processes of runs and steps come from, and how long they live."""

import multiprocessing
import os
import signal
import threading
from multiprocessing import connection, forkserver, resource_tracker
from typing import Any

from ds3d_pipeline.names import DEFINITIONS

LOADED = (
    DEFINITIONS,
    "dagster._core.executor.multiprocess",
    "dagster._core.instance.factory",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.utility_ops",
    "upath.implementations.local",
)
"""Modules that a server loads before it forks: else every step does, for longer than some stages work."""
LOOK_EVERY_S = 1.0


def share_fork_server() -> None:
    """Has a process that was forked from a server ask the same server for its own children.

    Python passes the server's address on for that, and then starts another one all the same: it looks for
    the server among its own children only. Loading everything anew takes that one seconds.
    """
    server: Any = forkserver._forkserver
    parent = os.getppid()
    if not _is_inherited(server):
        return
    start = server.ensure_running

    def ensure_running() -> None:
        if os.getppid() == parent:
            resource_tracker.ensure_running()
            return
        # It was killed, and this process was handed to another parent.
        os.close(server._forkserver_alive_fd)
        server.ensure_running = start
        server._forkserver_address = server._forkserver_alive_fd = None
        start()

    server.ensure_running = ensure_running


def _is_inherited(server: Any) -> bool:
    """Newer versions of Python also ask for a key, which is not passed on."""
    is_known = server._forkserver_alive_fd is not None and server._forkserver_address is not None
    return is_known and server._forkserver_pid is None and not hasattr(server, "_forkserver_authkey")


def end_with_parent() -> None:
    """Has this process killed once the one that asked for it is gone, `kill -9` included.

    Or the server that it was forked from: without that, who asked for it takes it for crashed. Its
    program ends with it; see `programs.tied`.
    """
    asked_by, forked_from = multiprocessing.parent_process(), os.getppid()
    if asked_by is None:
        return

    def wait() -> None:
        while os.getppid() == forked_from:
            if connection.wait([asked_by.sentinel], LOOK_EVERY_S):
                break
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="parent", daemon=True).start()
