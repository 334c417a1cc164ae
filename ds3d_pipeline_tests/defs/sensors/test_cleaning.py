"""What is cleaned without being asked, and what is left alone."""

import os
import time

import dagster as dg
import pytest
from upath import UPath

from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.sensors.cleaning import KEPT_S, clean, leftovers
from ds3d_pipeline.stages import splat
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.homes import put_bundle


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return prepare_home()


def put_scratch(home, run: str, age_s: float):
    """A scratch folder that was written to so long ago."""
    folder = home.work / run
    folder.mkdir()
    (folder / "attempts.json").write_text("[]")
    for path in (folder / "attempts.json", folder):
        os.utime(path, (time.time() - age_s,) * 2)
    return folder


def test_the_sensor_runs_from_the_start():
    assert defs.resolve_sensor_def("leftovers").default_status == dg.DefaultSensorStatus.RUNNING
    assert defs.resolve_job_def("clean")


def test_with_nothing_to_clean_there_is_no_run(home):
    put_bundle(home, "mesh", "room", "only")
    put_scratch(home, "just-failed", KEPT_S / 2)
    assert isinstance(leftovers(dg.build_sensor_context()), dg.SkipReason)


def test_superseded_bundles_and_old_scratch_folders_are_removed(home):
    old = put_bundle(home, "mesh", "room", "old")
    new = put_bundle(home, "mesh", "room", "new")
    scratch, fresh = put_scratch(home, "ended", 2 * KEPT_S), put_scratch(home, "just-failed", KEPT_S / 2)
    assert isinstance(leftovers(dg.build_sensor_context()), dg.RunRequest)
    with dg.DagsterInstance.get() as instance:
        assert clean.execute_in_process(instance=instance).success
    place = UPath(home.storage) / "mesh" / "room"
    assert not (place / old.data_version).exists()
    assert (place / new.data_version).exists()
    assert not scratch.exists()
    assert fresh.exists()
    assert isinstance(leftovers(dg.build_sensor_context()), dg.SkipReason)


def test_while_a_run_goes_on_bundles_stay(home):
    put_bundle(home, "mesh", "room", "old")
    put_bundle(home, "mesh", "room", "new")
    with dg.DagsterInstance.get() as instance:
        status = dg.DagsterRunStatus.STARTED
        instance.add_run(dg.DagsterRun(job_name="reconstruct_fastest", run_id="going", status=status))
    assert isinstance(leftovers(dg.build_sensor_context()), dg.SkipReason)


def test_heavy_steps_share_a_pool_and_a_gpu_has_one_of_its_own(monkeypatch):
    pools = {key.path[-1]: asset.op.pool for asset in defs.assets for key in asset.keys}
    assert {pools[stage] for stage in ("poses", "depth_maps", "mesh", "metrics")} == {"heavy"}
    monkeypatch.setattr(splat.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert splat.gpu_pool() == "gpu"
    monkeypatch.setattr(splat.shutil, "which", lambda name: None)
    assert splat.gpu_pool() == "heavy"
