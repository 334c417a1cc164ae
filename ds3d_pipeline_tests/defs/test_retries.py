"""Which runs the daemon takes up again: those that died, not those that failed or were cancelled."""

import subprocess
import sys

import dagster as dg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason

from ds3d_pipeline.defs.local_run import MAX_RETRIES_TAG
from ds3d_pipeline.defs.runs import end_dead_runs
from ds3d_pipeline.defs.sensors.cleaning import lost_runs
from ds3d_pipeline.execution.heartbeat import Process, System, this_system
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.programs.records import read_json, write_json
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


def leave_heart(home, system: System | None = None) -> None:
    """What a process leaves that is gone."""
    folder = home.work / "one"
    folder.mkdir()
    write_json(folder / "heartbeat.json", Process(system=system or this_system(), pid=999999999, started="7"))


def test_a_killed_command_line_is_not_taken_up_by_the_daemon(home):
    with dg.DagsterInstance.get() as instance:
        add_run(instance, **{MAX_RETRIES_TAG: "0"})
        leave_heart(home)
        end_dead_runs(instance, home)
        run = instance.get_run_by_id("one")
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert run.tags[WILL_RETRY] == "false"


def test_a_lost_run_of_the_daemon_is_ended_and_goes_on(home):
    with dg.DagsterInstance.get() as instance:
        add_run(instance)
        leave_heart(home)
        assert "Marked as failed: one" in lost_runs(dg.build_sensor_context(instance=instance)).skip_message
        assert instance.get_run_by_id("one").tags[WILL_RETRY] == "true"
        assert "All runs are alive" in lost_runs(dg.build_sensor_context(instance=instance)).skip_message


def test_a_run_of_another_machine_is_not_ended_at_the_first_look(home):
    with dg.DagsterInstance.get() as instance:
        add_run(instance)
        leave_heart(home, System(host="elsewhere", boot="another", numbers=""))
        assert end_dead_runs(instance, home) == []


def test_a_living_process_is_left_alone(home):
    with dg.DagsterInstance.get() as instance, run_journal(home, "one").beating():
        add_run(instance)
        assert end_dead_runs(instance, home) == []


@pytest.mark.slow
def test_of_a_run_of_several_processes_the_heart_is_in_the_one_it_depends_on(home):
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", ["marked"])
        command = [sys.executable, "-m", "dagster", "job", "execute", "-j", "run_ladder"]
        command += ["-m", "ds3d_pipeline_tests.defs.laddered", "-a", "from_environment"]
        command += ["--tags", '{"dagster/partition": "marked"}']
        env = environment(home.root) | {"DS3D_TEST_LADDER": "works"}
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
            assert process.wait(500) == 0
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.SUCCESS
        heart = read_json(home.work / run.run_id / "heartbeat.json", Process)
        assert (heart.pid, heart.system) == (process.pid, this_system())
