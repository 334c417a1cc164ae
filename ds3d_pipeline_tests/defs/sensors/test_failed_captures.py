"""Runs that fail away from the command line: their reports, and the way on from there."""

import dagster as dg
import pytest
from dagster._core.definitions.run_status_sensor_definition import RunStatusSensorCursor

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG
from ds3d_pipeline.defs.sensors.failed_captures import failed_captures
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline_tests.stages.cards import change_card

CAPTURE = "taken-up"
REFUSING = (Rung(name="refuses", module="ds3d_pipeline_tests.defs.rungs"),)


def quick_job() -> dg.JobDefinition:
    """The fastest job in one process."""
    job = dg.define_asset_job(
        "quick",
        selection=dg.AssetSelection.groups("reconstruction"),
        tags={"ds3d/mode": "fastest"},
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("quick")


def materialized(instance: dg.DagsterInstance, run_id: str) -> set[str]:
    """The assets that a run materialised."""
    logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return {entry.dagster_event.asset_key.to_user_string() for entry in logs}


@pytest.fixture
def instance(tmp_path, monkeypatch, small_photos):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    accept([small_photos], CaptureOptions(), CAPTURE)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
        yield instance


def tell(instance: dg.DagsterInstance, run_id: str, **tags: str):
    """Has the sensor look at a failed run."""
    run = instance.get_run_by_id(run_id)
    event = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)[-1].dagster_event
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_captures",
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=run.with_tags({**run.tags, **tags}),
    )
    return failed_captures(context.for_run_failure())


@pytest.mark.slow
def test_a_run_that_failed_at_mesh_is_told_and_goes_on_from_there(instance, tmp_path, monkeypatch):
    job, tags = dg.reconstructable(quick_job), {"dagster/partition": CAPTURE}
    config = {"ops": {"metrics": {"config": {"output": str(tmp_path / "out")}}}}
    with monkeypatch.context() as broken:
        change_card(broken, "mesh", rungs=REFUSING)
        failed = dg.execute_job(job, instance, run_config=config, tags=tags)
    assert not failed.success
    made = materialized(instance, failed.run_id)
    assert made >= {"capture", "keyframes", "poses", "depth_maps", "pointcloud"}
    assert not made & {"mesh", "metrics"}

    assert "command line" in tell(instance, failed.run_id, **{COMMAND_LINE_TAG: failed.run_id}).skip_message
    assert not (tmp_path / "out").exists()
    assert tell(instance, failed.run_id) is None
    told = read_json(tmp_path / "out" / CAPTURE / "metrics.json", dict)
    assert (told["status"], told["mode"]) == ("failed", "fastest")
    assert told["reasons"][0] == "Mesh: Only 2 of 9 pixels match. Film more slowly."
    assert "Film more slowly" in (tmp_path / "out" / CAPTURE / "report.html").read_text()

    again = dg.execute_job(
        job,
        instance,
        run_config=config,
        tags=tags,
        reexecution_options=dg.ReexecutionOptions.from_failure(failed.run_id, instance),
    )
    assert again.success
    assert materialized(instance, again.run_id) == {"mesh", "metrics"} | (
        {"splat"} - materialized(instance, failed.run_id)
    )
    assert "later run" in tell(instance, failed.run_id).skip_message
    told = read_json(tmp_path / "out" / CAPTURE / "metrics.json", dict)
    assert (told["status"], told["stages"]["mesh"]["backend"]) == ("ok", "poisson")


@pytest.mark.fault("failure in a backfill")
def test_a_launch_from_the_asset_graph_is_told_as_others_are(instance, tmp_path, monkeypatch):
    """It has a job of Dagster's own, and so has a backfill."""
    change_card(monkeypatch, "capture", rungs=REFUSING)
    job = defs.resolve_implicit_global_asset_job_def()
    config = {"ops": {"metrics": {"config": {"output": str(tmp_path / "out")}}}}
    failed = job.execute_in_process(
        instance=instance, partition_key=CAPTURE, run_config=config, raise_on_error=False
    )
    assert not failed.success
    start = RunStatusSensorCursor(record_id=0, record_timestamp="2020-01-01T00:00:00").to_json()
    with dg.build_sensor_context(instance=instance, cursor=start, sensor_name="failed_captures") as context:
        failed_captures.evaluate_tick(context)
    told = read_json(tmp_path / "out" / CAPTURE / "metrics.json", dict)
    assert told["reasons"][0] == "Upload: Only 2 of 9 pixels match. Film more slowly."
