"""How steps are started, and that a launch may still say otherwise."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from ds3d_pipeline.defs.executors import FORKSERVER, AttendedExecutor, step_executor
from ds3d_pipeline.execution.heartbeat import process_start

RUN = """
from dagster import DagsterInstance, execute_job, reconstructable
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.defs.test_executors import holding
prepare_home()
with DagsterInstance.get() as instance:
    execute_job(reconstructable(holding), instance)
"""


@dg.op
def rest() -> None:
    pass


@dg.job(executor_def=step_executor)
def resting() -> None:
    rest()


@dg.op
def hold() -> None:
    """Says which process it is in, and stays."""
    with open(os.environ["DS3D_TEST_PID"], "w", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(600)


@dg.job(executor_def=step_executor)
def holding() -> None:
    hold()


def resolved(config: dict[str, Any]) -> dict[str, Any]:
    """What Dagster's own executor gets of a launch's config."""
    run_config = {"execution": {"config": config}} if config else {}
    return dg.validate_run_config(resting, run_config)["execution"]["multi_or_in_process_executor"]


@pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")
@pytest.mark.parametrize("config", [{}, {"multiprocess": {"max_concurrent": 1}}])
def test_steps_are_forked_from_a_process_that_has_loaded_everything(config):
    steps = resolved(config)["multiprocess"]
    assert steps["start_method"] == FORKSERVER
    assert steps["max_concurrent"] == config.get("multiprocess", {}).get("max_concurrent")


def test_a_launch_may_choose_otherwise():
    assert resolved({"multiprocess": {"start_method": {"spawn": {}}}})["multiprocess"]["start_method"] == {
        "spawn": {}
    }
    assert "in_process" in resolved({"in_process": {}})


class Interrupted(dg.Executor):
    """Ends as Dagster's does where a step is cancelled while it starts: its place stays taken."""

    retries = step_dependency_config = None

    def execute(self, plan_context, execution_plan):
        claim = plan_context.instance.event_log_storage.claim_concurrency_slot
        claim("heavy", plan_context.run_id, "poses")
        raise dg.DagsterExecutionInterruptedError
        yield


def test_a_cancelled_run_gives_its_place_in_the_pools_back_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with dg.DagsterInstance.ephemeral() as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots("heavy", 1)
        plan = SimpleNamespace(run_id="one", instance=instance)
        with pytest.raises(dg.DagsterExecutionInterruptedError):
            list(AttendedExecutor(Interrupted()).execute(plan, None))
        assert storage.claim_concurrency_slot("heavy", "two", "poses").is_claimed


@pytest.mark.slow
def test_a_step_of_a_run_that_was_killed_does_not_go_on(tmp_path):
    told, home = tmp_path / "pid", tmp_path / "home"
    environment = os.environ | {"DAGSTER_HOME": str(home), "DS3D_TEST_PID": str(told)}
    with subprocess.Popen([sys.executable, "-c", RUN], env=environment) as run:
        wait_for(lambda: told.exists() and told.read_text().endswith("\n"))
        step = int(told.read_text())
        assert process_start(step) is not None
        run.send_signal(signal.SIGKILL)
    wait_for(lambda: process_start(step) is None)


def wait_for(condition) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
