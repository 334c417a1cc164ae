"""Which runs the daemon takes up again: those that died, not those that failed or were cancelled."""

import socket
import subprocess
import sys

import dagster as dg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason

from ds3d_pipeline.defs.local_run import MAX_RETRIES_TAG
from ds3d_pipeline.defs.runs import PID_TAG, end_dead_runs, own_mark
from ds3d_pipeline.defs.sensors.cleaning import lost_runs
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.captures import environment

WILL_RETRY = "dagster/will_retry"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return prepare_home()


def add_run(instance, **tags: str):
    run = dg.DagsterRun(job_name="job", run_id="one", status=dg.DagsterRunStatus.STARTED, tags=tags)
    return instance.add_run(run)


@pytest.mark.parametrize(
    ("reason", "retried"),
    [
        (RunFailureReason.UNEXPECTED_TERMINATION, "true"),
        (RunFailureReason.RUN_EXCEPTION, "true"),
        (RunFailureReason.STEP_FAILURE, "false"),
    ],
)
def test_a_run_that_died_goes_on_and_one_whose_stage_failed_does_not(home, reason, retried):
    with dg.DagsterInstance.get() as instance:
        data = JobFailureData(error=None, failure_reason=reason)
        instance.report_run_failed(add_run(instance), "over", job_failure_data=data)
        assert instance.get_run_by_id("one").tags[WILL_RETRY] == retried


def test_a_cancelled_run_stays_cancelled(home):
    with dg.DagsterInstance.get() as instance:
        instance.report_run_canceled(add_run(instance))
        assert instance.get_run_by_id("one").tags.get(WILL_RETRY) != "true"


def test_a_killed_command_line_is_not_taken_up_by_the_daemon(home):
    with dg.DagsterInstance.get() as instance:
        gone = f"one:{socket.gethostname()}:999999999:0.00"
        add_run(instance, **{PID_TAG: gone, MAX_RETRIES_TAG: "0"})
        end_dead_runs(instance, home)
        run = instance.get_run_by_id("one")
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert run.tags[WILL_RETRY] == "false"


def test_a_lost_run_of_the_daemon_is_ended_and_goes_on(home):
    with dg.DagsterInstance.get() as instance:
        add_run(instance, **{PID_TAG: f"one:{socket.gethostname()}:999999999:0.00"})
        assert "Ended one" in lost_runs(dg.build_sensor_context(instance=instance)).skip_message
        assert instance.get_run_by_id("one").tags[WILL_RETRY] == "true"
        assert "Every run" in lost_runs(dg.build_sensor_context(instance=instance)).skip_message


@pytest.mark.parametrize("mark", ["another:{host}:999999999:0.00", "one:elsewhere:999999999:0.00"])
def test_the_process_of_an_earlier_run_or_of_another_machine_says_nothing(home, mark):
    with dg.DagsterInstance.get() as instance:
        add_run(instance, **{PID_TAG: mark.format(host=socket.gethostname())})
        assert end_dead_runs(instance, home) == []


def test_a_living_process_is_left_alone(home):
    with dg.DagsterInstance.get() as instance:
        add_run(instance, **{PID_TAG: own_mark("one")})
        assert end_dead_runs(instance, home) == []


@pytest.mark.slow
def test_a_run_of_several_processes_is_marked_with_the_one_it_depends_on(home):
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", ["marked"])
        command = [sys.executable, "-m", "dagster", "job", "execute", "-j", "climb"]
        command += ["-m", "ds3d_pipeline_tests.defs.laddered", "-a", "from_environment"]
        command += ["--tags", '{"dagster/partition": "marked"}']
        env = environment(home.root) | {"DS3D_TEST_LADDER": "works"}
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
            assert process.wait(500) == 0
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.SUCCESS
        assert run.tags[PID_TAG].startswith(f"{run.run_id}:{socket.gethostname()}:{process.pid}:")
