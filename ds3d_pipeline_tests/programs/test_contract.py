"""What a stage's program says while it works."""

import itertools
import json
import time

from ds3d_pipeline.programs.contract import COMPILING, Progress


def test_a_clock_that_is_set_back_silences_no_progress(tmp_path, monkeypatch):
    days = itertools.count(20_000, -1)
    monkeypatch.setattr(time, "time", lambda: next(days) * 86_400.0)
    progress = Progress(tmp_path / "progress.jsonl", min_interval_s=0)
    for step in range(4):
        progress(step / 4, f"step {step}")
    lines = (tmp_path / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines] == [f"step {step}" for step in range(4)]


def test_what_follows_too_soon_is_left_out_but_for_the_end(tmp_path):
    progress = Progress(tmp_path / "progress.jsonl", min_interval_s=3600)
    for step in range(5):
        progress(step / 4)
    lines = (tmp_path / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["fraction"] for line in lines] == [0.0, 1.0]


def test_compiling_is_said_before_it_begins_and_its_end_is_marked(tmp_path):
    progress = Progress(tmp_path / "progress.jsonl", min_interval_s=3600)
    progress(0.25, "view 1 of 4")
    progress.compiling(begins=True)
    progress.compiling(begins=False)
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [line["fraction"] for line in lines] == [0.25, 0.25, 0.25]
    assert [line.get("compiling", False) for line in lines] == [False, True, False]
    assert [line["message"] for line in lines] == ["view 1 of 4", COMPILING, "view 1 of 4"]
