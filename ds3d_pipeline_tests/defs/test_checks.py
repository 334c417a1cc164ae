"""The gates as asset checks: where they stand, what a run evaluates, and what an unsound file stops."""

import dagster as dg
import pytest

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.execution.freshness import find_fresh
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.stages.cards import change_card

CAPTURE = "checked"
FIRST_STAGES = ("capture", "keyframes", "poses")
UP_TO_POSES = [dg.AssetKey(stage) for stage in FIRST_STAGES]
THEIR_GATES = {gate.name for stage in FIRST_STAGES for gate in STAGE_CARDS[stage].gates}


@pytest.fixture
def home(tmp_path, monkeypatch, small_photos):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home = prepare_home()
    accept([small_photos], CaptureOptions(), CAPTURE)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
    return home


def run(selection):
    job = defs.resolve_job_def("reconstruct_fastest")
    with dg.DagsterInstance.get() as instance:
        return job.execute_in_process(
            instance=instance, partition_key=CAPTURE, asset_selection=selection, raise_on_error=False
        )


@pytest.mark.parametrize("mode", MODES)
def test_every_gate_is_a_check_of_its_asset_in_every_job(mode):
    graph = defs.resolve_job_def(f"reconstruct_{mode}").asset_layer.asset_graph
    expected = {(stage, gate.name) for stage, card in STAGE_CARDS.items() for gate in card.gates}
    assert {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys} == expected


@pytest.mark.slow
def test_a_run_over_some_assets_of_a_partition_evaluates_theirs(home):
    result = run(UP_TO_POSES)
    evaluations = result.get_asset_check_evaluations()
    assert {evaluation.check_name for evaluation in evaluations} == THEIR_GATES
    assert all(evaluation.passed for evaluation in evaluations)
    (registered,) = [e for e in evaluations if e.check_name == "registered_fraction"]
    assert registered.metadata["registered"].value == registered.metadata["total"].value == 8


@pytest.mark.slow
def test_unsound_files_stop_what_would_read_them(home, monkeypatch):
    refusing = (Rung(name="half_done", module="ds3d_pipeline_tests.defs.rungs"),)
    change_card(monkeypatch, "depth_maps", rungs=refusing)
    result = run([*UP_TO_POSES, dg.AssetKey("depth_maps"), dg.AssetKey("pointcloud")])
    assert not result.success
    started = {event.step_key for event in result.all_events if event.is_step_start}
    assert started == {"capture", "keyframes", "poses", "depth_maps"}
    options = {stage: MODES["fastest"].options(stage) for stage in STAGES}
    assert set(find_fresh(home, CAPTURE, options, {})) == {"capture", "keyframes", "poses"}
    attempts = read_json(home.work / result.run_id / "depth_maps" / "attempts.json", tuple[Attempt, ...])
    assert [attempt.outcome for attempt in attempts] == ["failed"]
