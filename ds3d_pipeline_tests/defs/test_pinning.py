"""A run reads one version of a stage, whatever else is published meanwhile."""

import json

import dagster as dg
import pytest
from upath import UPath

from ds3d_pipeline.defs.io_manager import BundleIOManager
from ds3d_pipeline.defs.launch import REUSED_TAG
from ds3d_pipeline.defs.pinning import pinned_version
from ds3d_pipeline.execution.failed_run import publish_failed_run
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.storage.bundles import BundleDamaged, fetch
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.homes import put_bundle


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return prepare_home()


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def a_run(run_id: str, **more) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="job", run_id=run_id, **more)


def put_poses(home, text: str) -> str:
    return put_bundle(home, "poses", "room", text).data_version


def reads(instance, home, run: dg.DagsterRun) -> str | None:
    return pinned_version(instance, run, home, "poses", UPath(home.storage) / "poses" / "room")


@pytest.mark.fault("command line and daemon at once", "two runs at once")
def test_a_run_goes_on_with_what_it_read_first(home, instance):
    assert reads(instance, home, a_run("early")) is None
    first = put_poses(home, "first")
    assert reads(instance, home, a_run("one")) == first
    second = put_poses(home, "second")
    assert reads(instance, home, a_run("one")) == first
    assert reads(instance, home, a_run("two")) == second


@pytest.mark.fault("command line and daemon at once")
def test_a_run_reads_what_it_made_itself(home, instance):
    own = put_poses(home, "own")
    run_journal(home, "one").made("poses", own)
    put_poses(home, "another's")
    assert reads(instance, home, a_run("one")) == own


@pytest.mark.fault("command line and daemon at once")
def test_a_run_that_waited_in_the_queue_reads_what_it_was_planned_on(home, instance):
    planned = put_poses(home, "planned")
    put_poses(home, "another's")
    assert reads(instance, home, a_run("one", tags={REUSED_TAG: json.dumps({"poses": planned})})) == planned


def test_a_run_that_takes_another_up_reads_what_that_made(home, instance):
    """Though the journal of the first is gone."""
    own = put_poses(home, "own")
    other = put_poses(home, "another's")

    @dg.asset
    def poses() -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion(own))

    @dg.asset
    def mesh() -> None:
        pass

    made = dg.materialize([poses], instance=instance)
    between = dg.materialize([mesh], instance=instance)
    instance.add_run_tags(between.run_id, {"dagster/parent_run_id": made.run_id})
    taken_up = a_run("one", parent_run_id=made.run_id, root_run_id=made.run_id)
    assert reads(instance, home, taken_up) == own
    assert reads(instance, home, a_run("two")) == other


def test_stored_files_that_are_gone_are_one_sentence(home):
    put_poses(home, "first")
    with pytest.raises(BundleDamaged, match="files of the stage poses are gone"):
        fetch(UPath(home.storage) / "poses" / "room", home.root / "cache", "0" * 32)


def test_what_cannot_be_read_is_the_reason_in_the_report(home, tmp_path):
    """The bundle that the run was planned on vanishes before it starts."""
    put_poses(home, "first")
    captures = dg.DynamicPartitionsDefinition(name="captures")

    @dg.asset(partitions_def=captures)
    def poses() -> None:
        raise AssertionError

    @dg.asset(partitions_def=captures, retry_policy=dg.RetryPolicy(max_retries=3, delay=0))
    def mesh(poses) -> None:
        raise AssertionError

    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", ["room"])
        result = dg.materialize(
            [poses, mesh],
            instance=instance,
            partition_key="room",
            selection=[mesh],
            resources={"io_manager": BundleIOManager()},
            tags={REUSED_TAG: json.dumps({"poses": "0" * 32})},
            raise_on_error=False,
        )
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    for name in ("request.json", "upload.json"):
        (home.registered / "room").mkdir(exist_ok=True)
        (home.registered / "room" / name).write_text('{"inputs": [], "sha256": ""}')
    request = RunRequest(capture="room", output=tmp_path / "out", source="dagster")
    told, _ = publish_failed_run(home, result.run_id, request)
    assert told["reasons"][0] == (
        "Mesh: The stored files of the stage poses are gone. Run the same command again: it makes them again."
    )
