"""Why a capture is not ok: the reasons in `metrics.json`."""

from dataclasses import replace

import pytest

from ds3d_pipeline.metrics.record import Status
from ds3d_pipeline.publishing import build
from ds3d_pipeline.publishing.build import Story, build_metrics
from ds3d_pipeline.publishing.reasons import find_reasons
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
    return find_reasons((), {"poses": report})


def test_a_registered_capture_has_none():
    assert reasons() == []


@pytest.mark.parametrize(("registered", "count"), [(11, 0), (10, 0), (9, 1)])
def test_many_lost_frames_are_a_reason_that_names_them(registered, count):
    text = "Not aligned: b.jpg (between a.jpg and c.jpg)."
    found = reasons(registered=registered, unregistered_text=text)
    assert found == [f"Only {registered} of 12 keyframes could be aligned. {text}"] * count


def report_of(stage, used, shortfall="", **tried):
    """Of a stage whose `used` backend came after those in `tried`, each with outcome and reason."""
    attempts = [
        Attempt(backend=name.replace("_", "-"), outcome=outcome, reason=reason)
        for name, (outcome, reason) in tried.items()
    ]
    return StageReport(
        stage=stage,
        backend=used,
        attempts=(*attempts, Attempt(backend=used, outcome="ok")),
        seconds=1.0,
        peak_memory_mb=1.0,
        fingerprint="",
        result=REGISTERED if stage == "poses" else {"maps": 1, "coverage": 1.0},
        shortfall=shortfall or None,
    )


def test_a_fallback_that_lacks_nothing_uses_plain_names():
    report = report_of("poses", "opencv", pycolmap=("failed", "Nothing matches. Overlap more."))
    assert find_reasons((), {"poses": report}) == [
        "Camera positions: OpenCV is used because COLMAP failed. Nothing matches. Overlap more."
    ]


def test_the_first_reason_is_why_the_first_stage_lacks_something_and_what_follows_gives_no_advice():
    poses = report_of(
        "poses",
        "single",
        "Only one photo is used.",
        pycolmap=("failed", "The photos do not overlap. Move less between photos."),
        colmap_container=("skipped", "Docker is not running."),
        opencv=("failed", "The photos do not overlap. Move less between photos."),
    )
    depth = report_of(
        "depth_maps",
        "card",
        "There is no 3D.",
        patchmatch=("failed", "No two views. Film again with more overlap."),
        monocular=("skipped", "There is no model. Run `ds3d models fetch`."),
        interpolation=("failed", "No points. Film again with more texture."),
    )
    splat = report_of("splat", "light", "The splat is untrained.", cpu=("failed", "Take more photos."))
    assert find_reasons((), {"poses": poses, "depth_maps": depth, "splat": splat}) == [
        "The photos do not overlap. Move less between photos.",
        "Only one photo is used.",
        "There is no 3D.",
        "The splat is untrained.",
        "Depth maps: the learned depth model is not available. There is no model. Run `ds3d models fetch`.",
    ]


def test_a_depth_model_that_fails_does_so_for_itself_however_few_photos_were_aligned():
    poses = report_of(
        "poses", "single", "Only one photo is used.", pycolmap=("failed", "Blurred. Hold still.")
    )
    depth = report_of("depth_maps", "card", "There is no 3D.", monocular=("failed", "The model is damaged."))
    found = find_reasons((), {"poses": poses, "depth_maps": depth})
    assert found[0] == "Blurred. Hold still."
    assert found[-1].endswith("because the learned depth model failed. The model is damaged.")


def test_a_stage_that_failed_comes_before_everything_else():
    poses = report_of("poses", "opencv", pycolmap=("crashed", "It crashed."))
    failed = Attempt(backend="poisson", outcome="failed", reason="There are no points. Film again.")
    found = find_reasons((("mesh", (failed,)),), {"poses": poses})
    assert found[0] == "Mesh: There are no points. Film again."
    assert len(found) == 2


def test_a_better_backend_that_is_missing_is_named_where_nothing_failed():
    report = report_of("splat", "light", "The splat is untrained.", cpu=("skipped", "There is no CPU."))
    assert find_reasons((), {"splat": report}) == [
        "The splat is untrained.",
        "Gaussian splat: training on the CPU is not available. There is no CPU.",
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
