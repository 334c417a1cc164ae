"""What a run says at its end."""

import json
import re

import pytest

from ds3d_pipeline.cli.display import LiveDisplay, make_display
from ds3d_pipeline.cli.output import console
from ds3d_pipeline.execution.progress import RunState, StageState
from ds3d_pipeline.metrics.record import metrics_json
from ds3d_pipeline_tests.report.metrics import make_metrics

POSES = {
    "registered": 3,
    "total": 4,
    "mean_reprojection_error_px": 0.456,
    "points": 9,
    "unregistered_text": "Not aligned: b.jpg.",
}


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))


DEGRADED = make_metrics(
    status="degraded",
    reasons=["Something is missing."],
    poses=POSES,
    files={name: {"bytes": 2_500_000, "sha256": "0" * 64} for name in ("model.glb", "sparse/cameras.bin")},
)


def test_files_cameras_status_and_reasons_are_shown_at_the_end(capsys):
    make_display("wall", as_json=False).finish(DEGRADED, "/out/wall")
    shown = capsys.readouterr().out
    assert "model.glb  2.5 MB" in shown
    assert "cameras.bin" not in shown
    assert "aligned: 3 of 4 keyframes, 0.46 px\n  Not aligned: b.jpg.\n" in shown
    assert "status: degraded\n  Something is missing.\n" in shown
    assert "\nfiles: /out/wall\nlook at it: ds3d view /out/wall\n" in shown
    assert "more detail: the same command with --mode quality (about " in shown


def test_the_first_reason_is_alone_and_the_others_are_details(capsys):
    metrics = make_metrics(status="failed", reasons=["Blurred. Hold still.", "No depth.", "No mesh."])
    make_display("wall", as_json=False).finish(metrics, "/out/it's a wall/failed")
    shown = capsys.readouterr().out
    assert "status: failed\n  Blurred. Hold still.\n  Details:\n  - No depth.\n  - No mesh.\n" in shown
    assert "why: ds3d open '/out/it'\"'\"'s a wall/failed'\n" in shown


def test_a_long_path_stays_on_one_line(capsys):
    folder = "/" + "a" * 300
    make_display("wall", as_json=False).finish(DEGRADED, folder)
    assert f"files: {folder}\n" in capsys.readouterr().out


def test_json_lines_end_with_the_content_of_the_metrics(capsys):
    make_display("wall", as_json=True).finish(DEGRADED, "/out/wall")
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last == {"event": "result", "folder": "/out/wall", "metrics": metrics_json(DEGRADED)}


RUN = RunState(
    stages=(
        StageState(stage="capture", state="done", backend="local", seconds=1.0),
        StageState(
            stage="poses",
            state="running",
            fraction=0.5,
            message="2 of 4 cameras",
            remaining_s=41.0,
            seconds=40.0,
        ),
        StageState(stage="mesh", state="waiting"),
    ),
    fraction=0.25,
    remaining_s=540.0,
)


def test_before_the_start_the_whole_time_is_foretold(capsys):
    with make_display("wall", as_json=False).following(lambda: RUN):
        pass
    assert "wall: about 9 minutes on this machine" in capsys.readouterr().out


def test_machines_get_the_same_time_in_seconds(capsys):
    with make_display("wall", as_json=True).following(lambda: RUN):
        pass
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"event": "forecast", "capture": "wall", "seconds": 540.0} in lines


def test_a_terminal_shows_one_bar_for_the_whole_run_and_one_for_each_stage(capsys):
    screen = console()
    screen._force_terminal = True
    with LiveDisplay("wall", screen).following(lambda: RUN):
        pass
    shown = capsys.readouterr().out
    assert "about 9 minutes left" in shown
    assert "2 of 4 cameras, about 40 s left" in shown
    assert [name for name in ("all", "capture", "poses", "mesh") if name in shown] == [
        "all",
        "capture",
        "poses",
        "mesh",
    ]


@pytest.mark.parametrize("no_color", [False, True])
def test_no_color_is_respected(capsys, monkeypatch, no_color):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    with LiveDisplay("wall", console()).following(lambda: RUN):
        pass
    colors = re.findall(r"\x1b\[[0-9;]*3[0-9]", capsys.readouterr().out)
    assert bool(colors) != no_color
