"""How steps are started, and that a launch may still say otherwise."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._core.executor.init import InitExecutorContext

from ds3d_pipeline.defs.executors import step_executor
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.captures import environment

LOADED: list[int] = []
"""Filled in the process of the run, which a step knows only if it is forked from it."""


@dg.op
def look() -> None:
    assert os.getppid() in LOADED


@dg.job(executor_def=step_executor)
def looking() -> None:
    look()


@dg.op
def sleep() -> None:
    Path(os.environ["STEP_PID"]).write_text(str(os.getpid()))
    time.sleep(120)


@dg.job(executor_def=step_executor)
def sleeping() -> None:
    sleep()


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(tmp_path_factory.mktemp("executors") / "home"))
        prepare_home()
        with dg.DagsterInstance.get() as instance:
            yield instance


def start_method(instance: dg.DagsterInstance, config: dict[str, Any]) -> str:
    """How the executor of a launch with this config starts its steps."""
    run_config = {"execution": {"config": config}} if config else {}
    resolved = dg.validate_run_config(looking, run_config)["execution"]["multi_or_in_process_executor"]
    make = step_executor.executor_creation_fn
    job = dg.reconstructable(looking)
    made = make(InitExecutorContext(job, step_executor, resolved, instance))
    return getattr(made._inner, "_start_method", "in this process")


@pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_step_is_forked_from_the_process_of_its_run_which_has_loaded_everything(instance, monkeypatch):
    monkeypatch.setitem(globals(), "LOADED", [os.getpid()])
    result = dg.execute_job(dg.reconstructable(looking), instance)
    assert result.success


@pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")
@pytest.mark.parametrize(
    ("config", "method"),
    [
        ({}, "fork"),
        ({"multiprocess": {"max_concurrent": 1}}, "fork"),
        ({"multiprocess": {"start_method": {"spawn": {}}}}, "spawn"),
        ({"in_process": {}}, "in this process"),
    ],
)
def test_a_launch_may_choose_otherwise(instance, config, method):
    assert start_method(instance, config) == method


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_step_outlives_the_process_of_its_run(tmp_path, number):
    noted = tmp_path / "pid"
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", __name__, "-a", "sleeping"]
    env = environment(tmp_path / "home") | {"STEP_PID": str(noted)}
    (tmp_path / "home").mkdir()
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 120
        while not (noted.exists() and noted.read_text()):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        step = psutil.Process(int(noted.read_text()))
        assert step.ppid() == run.pid
        run.send_signal(number)
        assert not psutil.wait_procs([step], timeout=30)[1]
