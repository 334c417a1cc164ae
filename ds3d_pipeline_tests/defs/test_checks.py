"""The gates on the poses: what passes, what warns, and that every run evaluates them."""

import dagster as dg
import pytest

from ds3d_pipeline.capture.uploads import capture_sha256, check_upload
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.checks import GAP, REGISTERED, REPROJECTION, judge_poses
from ds3d_pipeline.home import prepare_home
from ds3d_pipeline.uploads import register_upload

GOOD = {
    "registered": 29,
    "total": 30,
    "mean_reprojection_error_px": 0.6,
    "largest_gap": 1,
    "unplaced_text": "Not placed: b.jpg, between a.jpg and c.jpg.",
}
NAMES = {REGISTERED.name, REPROJECTION.name, GAP.name}


def failed(result):
    return {check.check_name for check in judge_poses(result) if not check.passed}


def test_good_poses_pass():
    assert failed(GOOD) == set()
    assert {check.check_name for check in judge_poses(GOOD)} == NAMES


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ({"registered": 20}, REGISTERED.name),
        ({"mean_reprojection_error_px": 2.1}, REPROJECTION.name),
        ({"largest_gap": 8}, GAP.name),
    ],
)
def test_each_gate_warns_of_its_own(numbers, name):
    assert failed(GOOD | numbers) == {name}
    (check,) = [check for check in judge_poses(GOOD | numbers) if not check.passed]
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert any(f"{value:g}" in check.description for value in numbers.values())


def test_the_gap_names_the_frames():
    (gap,) = [check for check in judge_poses(GOOD) if check.check_name == GAP.name]
    assert "between a.jpg and c.jpg" in gap.description


@pytest.mark.parametrize("mode", ["fastest", "balanced", "quality"])
def test_they_belong_to_poses_in_every_job(mode):
    job = defs.resolve_job_def(f"reconstruct_{mode}")
    assert {key.name for key in job.asset_layer.asset_graph.asset_check_keys} == NAMES
    without = job.get_subset(asset_selection={dg.AssetKey("mesh"), dg.AssetKey("metrics")})
    assert not without.asset_layer.asset_graph.asset_check_keys


def test_a_run_over_some_assets_of_a_partition_evaluates_them(tmp_path, monkeypatch, small_photos):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home, files = prepare_home(), check_upload([small_photos]).files
    register_upload(home, "checked", [small_photos], capture_sha256(files))
    job = defs.resolve_job_def("reconstruct_fastest")
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", ["checked"])
        result = job.execute_in_process(
            instance=instance,
            partition_key="checked",
            asset_selection=[dg.AssetKey(stage) for stage in ("capture", "keyframes", "poses")],
        )
        evaluations = result.get_asset_check_evaluations()
    assert {evaluation.check_name for evaluation in evaluations} == NAMES
    assert all(evaluation.passed for evaluation in evaluations)
    (registered,) = [e for e in evaluations if e.check_name == REGISTERED.name]
    assert registered.metadata["registered"].value == registered.metadata["total"].value == 8
