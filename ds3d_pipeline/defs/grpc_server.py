"""Dagster's code server, but runs begin at once: `python -m ds3d_pipeline.defs.grpc_server`.

Takes the words of `dagster api grpc`; the definitions are ours. Dagster starts the process of each run anew,
which then loads Dagster and the definitions for some two seconds. Here it is forked from a process that has
loaded them and does nothing else. So are the steps of the run (`defs/forking.py`).
"""

import multiprocessing
import sys
from multiprocessing import forkserver
from multiprocessing.context import BaseContext

from dagster._cli.api import grpc_command
from dagster._grpc.server import DagsterApiServer

from ds3d_pipeline.defs.forking import LOADED
from ds3d_pipeline.names import DEFINITIONS


def main() -> None:
    """Serves until it is ended."""
    # On a Mac a fork of what has loaded the system's libraries may crash.
    if sys.platform == "linux":
        launch_from(warm_server())
    grpc_command(["-m", DEFINITIONS, *sys.argv[1:]])


def warm_server() -> BaseContext:
    """Starts the process that runs and steps are forked from; it loads everything meanwhile."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dagster._grpc.server", *LOADED])
    forkserver.ensure_running()
    return context


def launch_from(context: BaseContext) -> None:
    """Has servers launch runs in this context, whatever they choose for themselves."""
    DagsterApiServer._mp_ctx = property(lambda server: context, lambda server, chosen: None)  # type: ignore[assignment]


if __name__ == "__main__":
    main()
