"""The gates: what passes, what is missed, and what is told of it."""

import pytest

from ds3d_pipeline.stages.table import STAGE_CARDS, judge, missed_gates
from ds3d_pipeline.storage.bundles import Attempt, StageReport


def scores(psnr_db):
    return {"images": ["1.jpg"], "psnr_db": psnr_db, "ssim": 0.8}


def texture(shown):
    return {"charts": 9, "scale": 1.0, "filled": 0.7, "shown": shown, "gains": [0.9, 1.1]}


GOOD = {
    "capture": {"kind": "video", "files": 1, "bytes": 9, "sha256": "0"},
    "poses": {
        "registered": 29,
        "total": 30,
        "points": 900,
        "mean_reprojection_error_px": 0.6,
        "largest_gap": 1,
        "unregistered_text": "Not aligned: b.jpg (between a.jpg and c.jpg).",
    },
    "depth_maps": {"coverage": 0.7},
    "pointcloud": {"points": 9},
    "mesh": {"vertices": 2600, "faces": 5000, "largest_piece": 0.9, "texture": texture(0.95)},
    "splat": {"gaussians": 9, "iterations": 9, "heldout": scores(24.0), "initial_heldout": scores(18.0)},
}


def report_of(stage, *, shortfall=None, faults=(), **changes):
    return StageReport(
        stage=stage,
        backend="best",
        attempts=(Attempt(backend="best", outcome="ok"),),
        seconds=1.0,
        peak_memory_mb=1.0,
        fingerprint="",
        result=GOOD[stage] | changes,
        shortfall=shortfall,
        faults=faults,
    )


def missed(report) -> set[str]:
    return {gate.name for gate, verdict in judge(report) if not verdict.passed}


@pytest.mark.parametrize("stage", GOOD)
def test_good_numbers_pass_every_gate(stage):
    assert missed(report_of(stage)) == set()
    assert missed_gates(report_of(stage)) == []


@pytest.mark.parametrize(
    ("stage", "changes", "name", "word"),
    [
        ("capture", {"cut_off": ["a.mp4 is cut off: 1 of 2 s can be read."]}, "whole_files", "1 of 2 s"),
        ("poses", {"registered": 20}, "registered_fraction", "Only 20 of 30 keyframes could be aligned."),
        ("poses", {"mean_reprojection_error_px": 2.1}, "mean_reprojection_error", "2.10 px"),
        ("poses", {"largest_gap": 8}, "largest_gap", "Longest gap: 8 keyframes."),
        ("depth_maps", {"coverage": 0.2}, "depth_coverage", "20% of all pixels"),
        ("mesh", {"faces": 12}, "mesh_sanity", "only 12 triangles"),
        ("mesh", {"largest_piece": 0.3}, "mesh_sanity", "30% of the surface"),
        ("mesh", {"texture": texture(0.2)}, "mesh_sanity", "20% of its surface"),
        ("splat", {"heldout": scores(18.2)}, "heldout_psnr", "18.2 dB"),
        ("splat", {"faults": ("splat.ply ends early.",)}, "valid_files", "ends early"),
    ],
)
def test_each_gate_is_missed_by_its_own_numbers_and_says_them(stage, changes, name, word):
    report = report_of(stage, **changes)
    assert missed(report) == {name}
    (reason,) = missed_gates(report)
    assert word in reason


def test_only_unsound_files_stop_a_run():
    for card in STAGE_CARDS.values():
        blocking = ["valid_files"] if card.check_files else []
        assert [gate.name for gate in card.gates if gate.blocking] == blocking


def test_a_splat_that_held_nothing_out_has_nothing_to_miss():
    assert missed(report_of("splat", heldout=None, initial_heldout=None)) == set()


def test_lost_frames_are_named_once_and_not_as_a_gap_too():
    report = report_of("poses", registered=20, largest_gap=10)
    assert missed(report) == {"registered_fraction", "largest_gap"}
    (reason,) = missed_gates(report)
    assert reason == "Only 20 of 30 keyframes could be aligned. Not aligned: b.jpg (between a.jpg and c.jpg)."


def test_a_shortfall_says_it_alone():
    report = report_of("poses", registered=1, mean_reprojection_error_px=None, shortfall="One photo only.")
    assert missed(report) == {"registered_fraction", "mean_reprojection_error"}
    assert missed_gates(report) == []
