"""Single assets, and the graph under the multiprocess executor."""

import json
import subprocess
import sys

import dagster as dg
import pytest
from upath import UPath

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.execution.freshness import fingerprint
from ds3d_pipeline.intake import disk_space as space
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.bundles import fetch
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.registrations import content_versions, upload_files
from ds3d_pipeline_tests.captures import environment

CAPTURE = "one-asset"


@pytest.fixture
def home(tmp_path, monkeypatch, small_photos):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home = prepare_home()
    accept([small_photos], CaptureOptions(), CAPTURE)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
    return home


@pytest.mark.slow
def test_one_asset_with_empty_config_means_balanced(home):
    with dg.DagsterInstance.get() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance, partition_key=CAPTURE, asset_selection=[dg.AssetKey("capture")]
        )
    assert result.success
    made = fetch(UPath(home.storage) / "capture" / CAPTURE, home.root / "cache")
    read = content_versions(upload_files(home, CAPTURE))
    assert made.report.fingerprint == fingerprint("capture", MODES["balanced"].capture, None, read)


def test_a_capture_that_nobody_registered_fails_with_the_remedy(home):
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", ["unknown"])
        job = defs.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance,
            partition_key="unknown",
            asset_selection=[dg.AssetKey("capture")],
            raise_on_error=False,
        )
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert "ds3d reconstruct" in event.step_failure_data.user_failure_data.description


@pytest.mark.slow
def test_the_multiprocess_executor_makes_the_whole_graph(home, tmp_path):
    config = tmp_path / "run.json"
    ops = {"metrics": {"config": {"output": str(tmp_path / "out")}}}
    config.write_text(json.dumps({"ops": ops}))
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "ds3d_pipeline.definitions"]
    command += ["-j", "reconstruct_fastest", "-c", str(config)]
    command += ["--tags", json.dumps({"dagster/partition": CAPTURE})]
    env = environment(home.root)
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "multiprocess" in done.stderr
    told = json.loads((tmp_path / "out" / CAPTURE / "metrics.json").read_text())
    assert told["mode"] == "fastest"
    assert told["poses"]["registered"] == told["poses"]["total"] == 8


def test_a_run_that_the_disk_cannot_hold_fails_before_it_starts(home, monkeypatch):
    monkeypatch.setattr(space, "FIXED_BYTES", 1e18)
    with dg.DagsterInstance.get() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance,
            partition_key=CAPTURE,
            asset_selection=[dg.AssetKey("capture")],
            raise_on_error=False,
        )
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert "of disk" in event.step_failure_data.user_failure_data.description
    assert not list(home.logs.glob("*/*"))
