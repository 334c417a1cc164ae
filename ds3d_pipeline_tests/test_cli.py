"""The command line as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ds3d_pipeline.export import check_metrics

UNUSABLE = 2


def run_ds3d(home: Path, *words: str, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"DAGSTER_HOME": str(home)}
    command = [sys.executable, "-c", "from ds3d_pipeline.cli import main; raise SystemExit(main())", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=timeout, check=False)


@pytest.mark.parametrize(
    "make", [lambda p: None, lambda p: p.write_bytes(b""), lambda p: p.write_text("no photo")]
)
def test_unusable_input_names_the_file_and_writes_nothing(tmp_path, make):
    photo = tmp_path / "photo.jpg"
    make(photo)
    output = tmp_path / "out"
    done = run_ds3d(tmp_path / "home", "reconstruct", str(photo), "--output", str(output))
    assert done.returncode == UNUSABLE
    assert "photo.jpg" in done.stderr
    assert not output.exists()


@pytest.mark.parametrize("words", [["--mode", "best"], ["--prefer", "poses=magic"], ["--prefer", "soup=x"]])
def test_unusable_arguments(tmp_path, words):
    done = run_ds3d(tmp_path / "home", "reconstruct", "x.mp4", *words)
    assert done.returncode == UNUSABLE
    assert len(done.stderr.splitlines()) == 1


def test_unknown_setting_in_a_config_file(tmp_path):
    config = tmp_path / "own.json"
    config.write_text('{"poses": {"speed": 3}}')
    done = run_ds3d(tmp_path / "home", "reconstruct", "x.mp4", "--config", str(config))
    assert done.returncode == UNUSABLE
    assert "speed" in done.stderr


def test_demo_is_close_to_its_truth_and_then_reused(tmp_path):
    words = ["demo", "--mode", "fastest", "--frames", "12", "--json", "--output", str(tmp_path / "out")]
    done = run_ds3d(tmp_path / "home", *words)
    assert done.returncode == 0, done.stderr[-3000:]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = json.loads((tmp_path / "out" / "demo" / "metrics.json").read_text())
    check_metrics(told)
    assert told["status"] == "degraded"
    assert told["poses"]["registered"] == told["poses"]["total"] == 12
    errors = events[-1]["poses"]
    assert errors["centre_error_mean_percent"] < 1.0
    names = {"model.glb", "model.splat.ply", "model.splat.ply.gz", "pointcloud.ply", "sparse/cameras.bin"}
    assert names <= told["files"].keys()

    again = run_ds3d(tmp_path / "home", *words)
    states = [json.loads(line) for line in again.stdout.splitlines()]
    reused = {e["stage"] for e in states if e["event"] == "stage" and e["state"] == "reused"}
    assert {"poses", "depth_maps", "pointcloud", "mesh", "splat"} <= reused
