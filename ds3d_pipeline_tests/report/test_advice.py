"""Advice follows from the numbers, and only from them."""

import pytest

from ds3d_pipeline.keyframes.report import KeyframesReport
from ds3d_pipeline.report.advice import Facts, advise
from ds3d_pipeline.report.camera_path import PathFacts
from ds3d_pipeline_tests.report.metrics import make_metrics

GOOD_PATH = PathFacts(looks_inwards=True, arc_deg=350, heights_deg=30, sideways=2.0)


def upload(width, height, kind="video"):
    return {"kind": kind, "sha256": "0", "frames": 40, "size": [width, height]}


def poses(**changed):
    good = {"registered": 40, "total": 40, "mean_reprojection_error_px": 0.6, "points": 900}
    return good | changed


def splat(heldout_db, train_db):
    scores = {"images": ["3.jpg"], "psnr_db": heldout_db, "ssim": 0.9}
    return {"gaussians": 9, "iterations": 9, "heldout": scores, "train_psnr_db": train_db}


def killed(stage):
    reason = "The program was killed: most likely memory ran out."
    attempt = {"backend": "poisson", "outcome": "crashed", "reason": reason, "seconds": 1.0}
    return {stage: {"backend": None, "attempts": [attempt], "seconds": 1.0, "peak_memory_mb": 1.0}}


def facts(*, path=GOOD_PATH, keyframes=None, kind="video", frames=40, sharpness=None, **changed):
    """A capture that gives no cause for advice, with changes."""
    content = {
        "mode": "quality",
        "input": upload(1920, 1080, kind=kind),
        "keyframes": [
            {
                "image": f"{i}.jpg",
                "source": f"IMG_{i}.jpg",
                "timestamp_s": i / 2 if kind == "video" else None,
                "sharpness": (sharpness or {}).get(i, 0.2),
            }
            for i in range(frames)
        ],
        "poses": poses(),
        "depth": {"coverage": 0.8},
        "splat": splat(27.0, 29.0),
        **changed,
    }
    return Facts(metrics=make_metrics(**content), keyframes=keyframes, path=path)


def the_only(given):
    (advice,) = advise(given)
    return advice


def test_a_good_capture_gives_no_cause():
    assert advise(facts()) == []
    assert advise(facts(path=None)) == []
    assert advise(facts(poses=poses(mean_reprojection_error_px=None))) == []


def test_lost_frames_are_named_by_their_times_or_files():
    lost = poses(unregistered=["4.jpg", "5.jpg", "6.jpg", "9.jpg"])
    assert "from 2.0 s to 3.0 s and at 4.5 s" in the_only(facts(poses=lost)).finding
    assert "IMG_4.jpg to IMG_6.jpg and IMG_9.jpg" in the_only(facts(poses=lost, kind="photos")).finding


def test_soft_pictures_are_named_softest_first():
    sharpness = {3: 0.05, 8: 0.01, 12: 0.04, 20: 0.06, 30: 0.15}
    finding = the_only(facts(kind="photos", sharpness=sharpness)).finding
    assert finding.startswith("4 of 40")
    assert "IMG_8.jpg, IMG_12.jpg, IMG_3.jpg and IMG_20.jpg" in finding


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (PathFacts(looks_inwards=True, arc_deg=96, heights_deg=30, sideways=1.0), "96°"),
        (PathFacts(looks_inwards=True, arc_deg=340, heights_deg=3, sideways=2.0), "3°"),
        (PathFacts(looks_inwards=False, arc_deg=350, heights_deg=30, sideways=0.05), "5%"),
    ],
)
def test_the_path_gives_cause(path, number):
    assert number in the_only(facts(path=path)).finding


def test_looking_outwards_is_no_fault():
    assert advise(facts(path=PathFacts(looks_inwards=False, arc_deg=60, heights_deg=1, sideways=1.0))) == []


@pytest.mark.parametrize(
    ("changed", "number"),
    [
        ({"poses": poses(mean_reprojection_error_px=1.31)}, "1.31 px"),
        (
            {"poses": poses(diagnosis={"kind": "blur", "cause": "It is blurred.", "remedy": "Hold still."})},
            "blur",
        ),
        ({"depth": {"coverage": 0.31}}, "31%"),
        ({"splat": splat(21.0, 30.0)}, "30.0 dB"),
        ({"input": upload(640, 480)}, "640 px"),
        ({"frames": 9}, "only 9 keyframes"),
        ({"stages": killed("mesh")}, "Mesh"),
    ],
)
def test_each_number_gives_its_own_advice(changed, number):
    assert number in the_only(facts(**changed)).finding


def test_a_larger_mode_is_advised_only_where_it_would_use_more_of_the_pictures():
    fine = upload(3840, 2160)
    assert "3840 px" in the_only(facts(mode="balanced", input=fine)).finding
    assert advise(facts(mode="balanced", input=upload(1920, 1080))) == []
    assert advise(facts(mode="balanced", input=fine, status="failed")) == []


def test_dropped_frames_are_counted_by_reason():
    keyframes = KeyframesReport(
        kept=40,
        considered=100,
        dropped={"black": 12, "duplicate": 1},
        median_sharpness=0.2,
        size=(1920, 1080),
        cameras=1,
    )
    assert the_only(facts(keyframes=keyframes)).finding == "12 of 100 frames are black."
