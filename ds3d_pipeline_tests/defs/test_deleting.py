"""Deleting a capture also ends what Dagster knows of it, as a command and as a job."""

import dagster as dg
import pytest

from ds3d_pipeline.cli.main import main
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.deleting import delete_capture, look_at_capture
from ds3d_pipeline.defs.runs import PARTITION_TAG
from ds3d_pipeline.defs.waiting import turn
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.homes import put_bundle


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return prepare_home()


@pytest.fixture
def instance(home):
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", ["room", "room-2"])
        yield instance


def add_run(instance, run_id: str, status: dg.DagsterRunStatus, capture: str = "room") -> None:
    tags = {PARTITION_TAG: capture, "dagster/run_key": f"content of {capture}"}
    instance.add_run(dg.DagsterRun(job_name="job", run_id=run_id, status=status, tags=tags))


def test_runs_scratch_logs_and_partition_go_with_the_files(home, instance):
    add_run(instance, "one", dg.DagsterRunStatus.SUCCESS)
    add_run(instance, "two", dg.DagsterRunStatus.FAILURE, "room-2")
    put_bundle(home, "mesh", "room", "text")
    for place in (home.work, home.logs):
        (place / "one").mkdir()
        (place / "two").mkdir()
    delete_capture(home, "room", keep_outputs=False)
    assert [run.run_id for run in instance.get_runs()] == ["two"]
    assert instance.get_dynamic_partitions("captures") == ["room-2"]
    assert [path.name for place in (home.work, home.logs) for path in place.iterdir()] == ["two", "two"]
    with pytest.raises(InputError, match="No capture 'room'"):
        delete_capture(home, "room", keep_outputs=False)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_while_a_run_of_it_goes_on_nothing_is_deleted(home, instance, status):
    add_run(instance, "one", status)
    put_bundle(home, "mesh", "room", "text")
    with pytest.raises(InputError, match="A run of room is waiting or still going"):
        delete_capture(home, "room", keep_outputs=False)
    assert look_at_capture(home, "room-2", keep_outputs=False).places == ()


def test_while_the_command_line_is_at_it_nothing_is_deleted(home, instance):
    with turn(home, "room", None), pytest.raises(InputError, match="A run of room"):
        delete_capture(home, "room", keep_outputs=False)
    delete_capture(home, "room", keep_outputs=False)


def test_the_job_removes_a_partition_whatever_its_name(home, instance):
    names = ["room", "../room", "..", "A / b"]
    instance.add_dynamic_partitions("captures", names)
    for name in names:
        config = {"ops": {"delete_one": {"config": {"capture": name}}}}
        assert defs.resolve_job_def("delete").execute_in_process(instance=instance, run_config=config).success
    assert instance.get_dynamic_partitions("captures") == ["room-2"]
    assert home.work.is_dir()


def test_the_job_fails_with_one_sentence_for_what_nobody_knows(home, instance):
    config = {"ops": {"delete_one": {"config": {"capture": "nothing"}}}}
    job = defs.resolve_job_def("delete")
    result = job.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "No capture 'nothing'" in failure.step_failure_data.user_failure_data.description


def test_the_command_only_tells_until_it_is_told_yes(home, instance, capsys):
    put_bundle(home, "mesh", "room", "text")
    assert main(["delete", "room"]) == 0
    assert "`ds3d delete room --yes` deletes it." in capsys.readouterr().out
    assert instance.has_dynamic_partition("captures", "room")
    assert main(["delete", "room", "--yes"]) == 0
    assert capsys.readouterr().out.startswith("Deleted room: ")
    assert not instance.has_dynamic_partition("captures", "room")
    assert main(["delete", "room", "--yes"]) == 2
    assert "No capture 'room'" in capsys.readouterr().err
