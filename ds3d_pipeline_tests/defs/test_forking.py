"""That runs and steps are forked from one server, and that no step outlives its run."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from ds3d_pipeline.defs.forking import LOADED
from ds3d_pipeline.execution.heartbeat import process_start
from ds3d_pipeline.names import DEFINITIONS
from ds3d_pipeline_tests.defs import forked

ENDS_WITHIN_S = 20.0
LOADED_BY = """
import sys
from ds3d_pipeline.defs.forking import LOADED
from ds3d_pipeline.storage.home import prepare_home
prepare_home()
for name in LOADED:
    __import__(name)
before = set(sys.modules)
import dagster as dg
with dg.DagsterInstance.get() as instance:
    instance.get_runs(limit=1)
print(*sorted(name for name in set(sys.modules) - before if "sqlite" in name or "sqlalchemy" in name))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")


@contextlib.contextmanager
def running(*words: str) -> Iterator[list[int]]:
    """The numbers of a run and its parent, of its step and the step's parent."""
    command = [sys.executable, "-m", forked.HERE, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())


def is_gone(pid: int) -> bool:
    """Waited for."""
    end = time.monotonic() + ENDS_WITHIN_S
    while process_start(pid) is not None:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_step_is_forked_from_the_server_that_its_run_was_forked_from():
    with running("0") as (_, server, _, other):
        assert server == other


def test_a_run_whose_server_was_killed_starts_one_of_its_own():
    with running("0", "server-dies") as (run, server, _, other):
        assert other not in (server, run)


def test_a_step_ends_with_the_killed_process_of_its_run():
    with running("600") as (run, _, step, _):
        os.kill(run, signal.SIGKILL)
        assert is_gone(step)


def test_a_step_that_counts_as_crashed_for_its_killed_server_has_ended():
    with running("600") as (_, server, step, _):
        os.kill(server, signal.SIGKILL)
        assert is_gone(step)


def test_a_process_that_nobody_forked_keeps_its_way_of_starting_others():
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "from multiprocessing import forkserver as f; from ds3d_pipeline.defs.forking import *\n"
            "share_fork_server(); end_with_parent(); print('ensure_running' in vars(f._forkserver))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "False"


@pytest.mark.slow
def test_no_step_has_to_load_what_opening_the_instance_takes(tmp_path):
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path)}
    command = [sys.executable, "-c", LOADED_BY]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
    assert DEFINITIONS in LOADED
