"""How runs are launched by our code server."""

import subprocess
import sys

import pytest
from dagster._grpc.server import DagsterApiServer

from ds3d_pipeline.defs import grpc_server
from ds3d_pipeline.names import DEFINITIONS

CHILD = "ds3d_pipeline_tests.defs.test_grpc_server"
ASK = f"""
import os
from {CHILD} import say_what_is_loaded
from ds3d_pipeline.defs.grpc_server import warm_server
context = warm_server()
queue = context.Queue()
context.Process(target=say_what_is_loaded, args=(queue,)).start()
parent, is_loaded = queue.get()
print(parent != os.getpid(), is_loaded)
"""


def say_what_is_loaded(queue) -> None:
    """In a process that a run would have."""
    import os

    queue.put((os.getppid(), DEFINITIONS in sys.modules))


def test_servers_launch_in_the_given_context_whatever_they_choose(monkeypatch):
    monkeypatch.setattr(DagsterApiServer, "_mp_ctx", None, raising=False)
    grpc_server.launch_from("warm")
    server = object.__new__(DagsterApiServer)
    server._mp_ctx = "spawn"
    assert server._mp_ctx == "warm"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux only")
def test_a_run_is_forked_from_a_process_that_has_loaded_everything():
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True", "True"]
