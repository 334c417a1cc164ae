"""Why a capture is not ok: the reasons in `metrics.json`."""

from dataclasses import replace

import pytest

from ds3d_pipeline.metrics.record import Status
from ds3d_pipeline.publishing import build
from ds3d_pipeline.publishing.build import Story, build_metrics, find_reasons
from ds3d_pipeline.report.page import headline, summarise
from ds3d_pipeline.storage.bundles import Attempt, StageReport
from ds3d_pipeline_tests.finished import make_bundles

STORY = Story(capture="a", mode="balanced")
REGISTERED = {
    "registered": 12,
    "total": 12,
    "points": 900,
    "mean_reprojection_error_px": 0.5,
    "unregistered_text": "",
    "diagnosis": None,
}


def reasons(**result):
    report = StageReport(
        stage="poses",
        backend="pycolmap",
        attempts=(Attempt(backend="pycolmap", outcome="ok"),),
        seconds=1.0,
        peak_memory_mb=1.0,
        fingerprint="",
        result=REGISTERED | result,
    )
    return find_reasons(STORY, {"poses": report})


def test_a_registered_capture_has_none():
    assert reasons() == []


@pytest.mark.parametrize(("registered", "count"), [(11, 0), (10, 0), (9, 1)])
def test_many_lost_frames_are_a_reason_that_names_them(registered, count):
    text = "Not aligned: b.jpg (between a.jpg and c.jpg)."
    found = reasons(registered=registered, unregistered_text=text)
    assert found == [f"Only {registered} of 12 keyframes could be aligned. {text}"] * count


def test_a_fallback_uses_plain_names():
    report = StageReport(
        stage="poses",
        backend="single",
        attempts=(
            Attempt(backend="pycolmap", outcome="failed", reason="Nothing matches."),
            Attempt(backend="opencv", outcome="failed", reason="Nothing matches."),
            Attempt(backend="colmap-container", outcome="skipped", reason="Docker is not running."),
            Attempt(backend="single", outcome="ok"),
        ),
        seconds=1.0,
        peak_memory_mb=1.0,
        fingerprint="",
        result=REGISTERED,
        shortfall="Only one photo is used.",
    )
    assert find_reasons(STORY, {"poses": report}) == [
        "Camera positions: a single photo is used because COLMAP and OpenCV failed. Nothing matches.",
        "Only one photo is used.",
        "Camera positions: COLMAP in a container is not available. Docker is not running.",
    ]


def test_a_diagnosis_is_one_reason_with_its_remedy():
    diagnosis = {"kind": "blur", "cause": "The pictures are blurred.", "remedy": "Hold still."}
    assert reasons(diagnosis=diagnosis) == ["The pictures are blurred. Hold still."]


def test_versions_leave_out_what_is_not_installed(monkeypatch):
    monkeypatch.setattr(build, "_PACKAGES", ("numpy", "not-installed-anywhere"))
    assert set(build._versions()) == {"python", "numpy"}


def test_a_flat_card_is_no_result_however_many_files_there_are(tmp_path):
    bundles = make_bundles(tmp_path)
    depth = bundles["depth_maps"]
    assert build_metrics(STORY, bundles, tmp_path).status is Status.OK
    flat = replace(depth.report, result={**depth.report.result, "coverage": 1.0, "flat": True})
    metrics = build_metrics(STORY, bundles | {"depth_maps": replace(depth, report=flat)}, tmp_path)
    assert metrics.status is Status.FAILED
    assert headline(metrics) == "No 3D could be made."
    assert summarise(metrics).endswith("there is only one photo on a flat rectangle.")
    assert "Depth is measured for 0% of all pixels, below the limit of 35%." in metrics.reasons
