"""The schema of `metrics.json` is that of its record, and keeps every key that it ever had."""

import json
from pathlib import Path

import jsonschema
import pytest

from ds3d_pipeline import metrics
from ds3d_pipeline.metrics.record import metrics_json, read_metrics
from ds3d_pipeline.metrics.schema import check_metrics, schema_text
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_capture
from ds3d_pipeline_tests.finished import make_bundles
from ds3d_pipeline_tests.report.metrics import NOTHING, make_metrics

KEYS = {
    "": "schema_version capture mode status reasons seed versions input stages keyframes poses depth "
    "pointcloud mesh splat scale world_from_gltf files total_seconds",
    "PosesReport": "registered total mean_reprojection_error_px points mean_track_length unregistered "
    "unregistered_frames largest_gap unregistered_text intrinsics cameras attempts matches diagnosis "
    "evidence scale pairs "
    "retries seed phase_seconds colmap focal_px focal_from",
    "DepthReport": "maps coverage uncertain seconds_per_map seed matched agreeing_views source_views "
    "estimated not_filled model provider aligned aligned_inliers colmap flat",
    "PointcloudReport": "points source fused",
    "MeshReport": "vertices faces texture_size faces_before largest_piece texture view",
    "SplatReport": "gaussians sh_degree iterations planned_iterations initialised_from initial_gaussians "
    "heldout initial_heldout final_tuning train_psnr_db stopped training_seconds compile_seconds "
    "seconds_per_iteration threads resumed_at curve removed max_seconds",
    "MetricScale": "unit from photos error_m",
    "StageFacts": "backend attempts seconds peak_memory_mb compile_seconds",
    "AttemptFacts": "backend outcome reason seconds",
}


def test_the_committed_schema_is_the_one_of_the_record():
    committed = Path(metrics.__file__).with_name("schema.json")
    assert committed.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("record", KEYS)
def test_no_key_went_away(record):
    schema = json.loads(schema_text())
    part = schema["$defs"][record] if record else schema
    assert set(part["properties"]) == set(KEYS[record].split())
    assert all(fields.get("description") for fields in schema["$defs"].values())


def test_what_is_published_keeps_the_schema_and_is_read_back_as_it_is(tmp_path):
    content = publish_capture(
        Story(capture="a", mode="balanced"), make_bundles(tmp_path / "b"), tmp_path / "out"
    )
    assert json.loads((tmp_path / "out" / "a" / "metrics.json").read_text()) == content
    check_metrics(content)
    assert metrics_json(read_metrics(content)) == content


@pytest.mark.parametrize(
    "wrong",
    [{"status": "fine"}, {"mode": "best"}, {"poses": {"registered": 3}}, {"extra": 1}, {"reasons": [""]}],
)
def test_what_does_not_fit_is_refused(wrong):
    check_metrics(NOTHING)
    with pytest.raises(jsonschema.ValidationError):
        check_metrics({**NOTHING, **wrong})


def test_a_stage_that_was_not_made_is_an_empty_table():
    assert make_metrics().mesh is None
    assert metrics_json(make_metrics())["mesh"] == {}


def test_the_scale_is_written_with_the_word_from():
    scale = {"unit": "m", "from": "gps", "photos": 9, "error_m": 1.5}
    metrics_of_gps = make_metrics(scale=scale)
    assert metrics_of_gps.scale.origin == "gps"
    assert metrics_json(metrics_of_gps)["scale"] == scale


def test_the_outcome_that_version_0_1_0_called_passed_over_is_read_as_skipped():
    attempt = {"backend": "opencv", "outcome": "passed over", "reason": "", "seconds": 0.0}
    stages = {"poses": {"backend": "pycolmap", "attempts": [attempt], "seconds": 1.0, "peak_memory_mb": 1.0}}
    read = make_metrics(stages=stages)
    assert read.stages["poses"].attempts[0].outcome == "skipped"
    assert metrics_json(read)["stages"]["poses"]["attempts"][0]["outcome"] == "skipped"
