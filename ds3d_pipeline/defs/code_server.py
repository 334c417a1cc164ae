"""The code location as a service: `python -m ds3d_pipeline.defs.code_server PORT`, on every interface.

The runs that it launches are its own processes. One that starts has none yet, so those that still count as
going on were taken down with its predecessor, which nothing else in Dagster notices.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

import dagster as dg

from ds3d_pipeline.defs.instance import open_instance
from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG, forget_work
from ds3d_pipeline.storage.home import Home, prepare_home

NOTICED_S = 15.0
"""How long the daemon may take to find a server that is back: it drops a retry that it cannot launch."""
_BEGUN = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def find_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Ids of the runs that had begun under an earlier code location, not of the command line."""
    begun = instance.get_runs(filters=dg.RunsFilter(statuses=_BEGUN))
    return [run.run_id for run in begun if run.tags.get(COMMAND_LINE_TAG) != run.run_id]


def end_lost_runs(instance: dg.DagsterInstance, home: Home, lost: Sequence[str]) -> None:
    """Ends them as failed, for run retries to take up, or as cancelled where that was asked."""
    for run_id in lost:
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            continue
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run)
        else:
            instance.report_run_failed(run, "The code location was stopped while this ran.")
        forget_work(instance, home, run_id)


def main(port: int) -> int:
    """Starts Dagster's gRPC server, ends lost runs once it can be used, and returns its exit code."""
    home = prepare_home()
    with open_instance(home) as instance:
        lost = find_lost_runs(instance)
        address = ("-h", "0.0.0.0", "-p", str(port))
        server = subprocess.Popen([sys.executable, "-m", "ds3d_pipeline.defs.grpc_server", *address])
        signal.signal(signal.SIGTERM, lambda number, frame: server.terminate())
        if lost and _is_noticed(server, port):
            end_lost_runs(instance, home, lost)
    return server.wait()


def _is_noticed(server: subprocess.Popen[bytes], port: int) -> bool:
    """Waits until the server has answered for a while; False where it ended before."""
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.5)
            continue
        time.sleep(NOTICED_S)
        return server.poll() is None
    return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
