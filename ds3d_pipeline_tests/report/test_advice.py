"""Advice follows from the numbers, and only from them."""

import pytest

from ds3d_pipeline.report.advice import Facts, advise
from ds3d_pipeline.report.camera_path import PathFacts

GOOD_PATH = PathFacts(looks_inwards=True, arc_deg=350, heights_deg=30, sideways=2.0)


def facts(*, path=GOOD_PATH, results=None, kind="video", frames=40, **changed):
    """A capture that gives no cause for advice, with changes."""
    told = {
        "mode": "quality",
        "status": "ok",
        "input": {"kind": kind, "size": [1920, 1080]},
        "stages": {},
        "keyframes": [
            {
                "image": f"{i}.jpg",
                "source": f"IMG_{i}.jpg",
                "timestamp_s": i / 2 if kind == "video" else None,
                "sharpness": 0.2,
            }
            for i in range(frames)
        ],
        "poses": {"registered": frames, "total": frames, "mean_reprojection_error_px": 0.6},
        "depth": {"coverage": 0.8},
        "splat": {"heldout": {"images": ["3.jpg"], "psnr_db": 27.0, "ssim": 0.9}, "train_psnr_db": 29.0},
        **changed,
    }
    return Facts(told=told, results=results or {}, path=path)


def the_only(given):
    (advice,) = advise(given)
    return advice


def test_a_good_capture_gives_no_cause():
    assert advise(facts()) == []
    assert advise(facts(path=None)) == []
    assert advise(facts(poses={"registered": 1, "total": 1, "mean_reprojection_error_px": None})) == []


def test_lost_frames_are_named_by_their_times_or_files():
    lost = {"poses": {"unregistered": ["4.jpg", "5.jpg", "6.jpg", "9.jpg"]}}
    assert "from 2.0 s to 3.0 s and at 4.5 s" in the_only(facts(results=lost)).finding
    assert "IMG_4.jpg to IMG_6.jpg and IMG_9.jpg" in the_only(facts(results=lost, kind="photos")).finding


def test_soft_pictures_are_named_softest_first():
    given = facts(kind="photos")
    for number, value in ((3, 0.05), (8, 0.01), (12, 0.04), (20, 0.06), (30, 0.15)):
        given.told["keyframes"][number]["sharpness"] = value
    finding = the_only(given).finding
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
        ({"poses": {"registered": 40, "total": 40, "mean_reprojection_error_px": 1.31}}, "1.31 px"),
        (
            {"poses": {"diagnosis": {"cause": "It is blurred.", "remedy": "Hold still."}}},
            "blur",
        ),
        ({"depth": {"coverage": 0.31}}, "31%"),
        (
            {
                "splat": {
                    "heldout": {"images": ["3.jpg"], "psnr_db": 21.0, "ssim": 0.8},
                    "train_psnr_db": 30.0,
                }
            },
            "30.0 dB",
        ),
        ({"input": {"kind": "video", "size": [640, 480]}}, "640 px"),
        ({"frames": 9}, "Only 9 pictures"),
        (
            {
                "stages": {
                    "mesh": {"attempts": [{"reason": "The program was killed: most likely memory ran out."}]}
                }
            },
            "mesh",
        ),
    ],
)
def test_each_number_gives_its_own_advice(changed, number):
    assert number in the_only(facts(**changed)).finding


def test_a_larger_mode_is_advised_only_where_it_would_use_more_of_the_pictures():
    fine = {"kind": "video", "size": [3840, 2160]}
    assert "3840 px" in the_only(facts(mode="balanced", input=fine)).finding
    assert advise(facts(mode="balanced", input={"kind": "video", "size": [1920, 1080]})) == []
    assert advise(facts(mode="balanced", input=fine, status="failed")) == []


def test_dropped_frames_are_counted_by_reason():
    given = facts(results={"keyframes": {"considered": 100, "dropped": {"black": 12, "duplicate": 1}}})
    assert the_only(given).finding == "12 frames of 100 are black."
