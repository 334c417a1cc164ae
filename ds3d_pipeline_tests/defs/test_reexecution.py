"""A run that failed at one stage, taken up from there as the UI does it."""

import dagster as dg
import pytest

from ds3d_pipeline.backends import LADDERS, Rung
from ds3d_pipeline.capture.uploads import capture_sha256, check_upload
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.home import prepare_home
from ds3d_pipeline.records import read_json
from ds3d_pipeline.uploads import register_upload

CAPTURE = "taken-up"


def quick_job() -> dg.JobDefinition:
    """The fastest job in one process."""
    job = dg.define_asset_job(
        "quick",
        selection=dg.AssetSelection.groups("reconstruction"),
        tags={"ds3d/mode": "fastest"},
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("quick")


def succeeded(instance: dg.DagsterInstance, run_id: str) -> set[str]:
    """The assets that a run materialised."""
    logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return {entry.dagster_event.asset_key.to_user_string() for entry in logs}


@pytest.fixture
def home(tmp_path, monkeypatch, small_photos):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home = prepare_home()
    register_upload(home, CAPTURE, [small_photos], capture_sha256(check_upload([small_photos]).files))
    return home


def test_a_run_that_failed_at_mesh_goes_on_from_there(home, tmp_path, monkeypatch):
    job = dg.reconstructable(quick_job)
    config = {"ops": {"metrics": {"config": {"output": str(tmp_path / "out")}}}}
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
        with monkeypatch.context() as broken:
            refusing = (Rung(name="refuses", module="ds3d_pipeline_tests.defs.rungs"),)
            broken.setitem(LADDERS, "mesh", refusing)
            failed = dg.execute_job(job, instance, run_config=config, tags={"dagster/partition": CAPTURE})
        assert not failed.success
        assert succeeded(instance, failed.run_id) >= {"capture", "keyframes", "poses", "pointcloud"}
        assert not succeeded(instance, failed.run_id) & {"mesh", "metrics"}
        again = dg.execute_job(
            job,
            instance,
            run_config=config,
            reexecution_options=dg.ReexecutionOptions.from_failure(failed.run_id, instance),
        )
        assert again.success
        assert succeeded(instance, again.run_id) == {"mesh", "metrics"}
    told = read_json(tmp_path / "out" / CAPTURE / "metrics.json", dict)
    assert told["mode"] == "fastest"
    assert told["stages"]["mesh"]["backend"] == "poisson"
    assert told["status"] == "ok"
