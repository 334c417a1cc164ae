"""The command line as a user runs it."""

import dataclasses
import json
import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline import names
from ds3d_pipeline.cli.main import main, plain_name
from ds3d_pipeline.containers.engine import read_settings
from ds3d_pipeline.metrics.schema import check_metrics
from ds3d_pipeline.stages.modes import MODES, Mode
from ds3d_pipeline_tests.captures import call_ds3d, run_ds3d

UNUSABLE = 2


@pytest.mark.parametrize(
    "make", [lambda p: None, lambda p: p.write_bytes(b""), lambda p: p.write_text("no photo")]
)
def test_unusable_input_names_the_file_and_writes_nothing(tmp_path, make):
    photo = tmp_path / "photo.jpg"
    make(photo)
    output = tmp_path / "out"
    done = call_ds3d(tmp_path / "home", "reconstruct", str(photo), "--output", str(output))
    assert done.returncode == UNUSABLE
    assert "photo.jpg" in done.stderr
    assert not output.exists()


def test_the_names_of_modes_and_stages_are_those_of_the_tables():
    assert tuple(MODES) == names.MODES
    assert tuple(field.name for field in dataclasses.fields(Mode)) == names.STAGES


@pytest.mark.parametrize(
    "words", [["--from", "soup"], ["--mode", "best"], ["--prefer", "poses=magic"], ["--prefer", "soup=x"]]
)
def test_unusable_arguments(tmp_path, words):
    done = call_ds3d(tmp_path / "home", "reconstruct", "x.mp4", *words)
    assert done.returncode == UNUSABLE
    assert len(done.stderr.splitlines()) == 1


def test_pulling_images_is_allowed_by_a_word(tmp_path, monkeypatch):
    monkeypatch.setenv("DS3D_CONTAINER_PULL", "")
    assert not read_settings().pull
    assert main(["reconstruct", str(tmp_path / "none.mp4"), "--pull"]) == UNUSABLE
    assert read_settings().pull


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"poses": {"speed": 3}}', "speed"),
        ('{"poses": {"max_side_px": "big"}}', "max_side_px"),
        ('{"soup": {}}', "soup"),
        ("[1, 2]", "own.json"),
        ("{", "own.json"),
    ],
)
def test_a_config_file_that_does_not_fit(tmp_path, text, named):
    config = tmp_path / "own.json"
    config.write_text(text)
    done = call_ds3d(tmp_path / "home", "reconstruct", "x.mp4", "--config", str(config))
    assert done.returncode == UNUSABLE
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def one_pixel(folder):
    Image.new("RGB", (1, 1)).save(folder / "tiny.png")
    return folder / "tiny.png"


def truncated_video(folder):
    path = folder / "cut.mp4"
    path.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(2000))
    return path


def empty_folder(folder):
    (folder / "nothing").mkdir()
    return folder / "nothing"


def no_frames(folder):
    path = folder / "silent.mkv"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
    return path


@pytest.mark.parametrize("make", [one_pixel, truncated_video, empty_folder, no_frames])
def test_unusable_files_are_named_in_one_sentence(tmp_path, make):
    path = make(tmp_path)
    done = call_ds3d(tmp_path / "home", "reconstruct", path, "--output", tmp_path / "out")
    assert done.returncode == UNUSABLE
    (line,) = done.stderr.splitlines()
    assert path.name in line
    assert not (tmp_path / "out").exists()


def test_help_and_usage_errors_import_nothing_heavy(tmp_path):
    script = (
        "import sys; from ds3d_pipeline.cli.main import main\n"
        "try: main(['reconstruct', '--mode', 'best', 'x.mp4'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'dagster', 'numpy', 'cv2', 'rich', 'pydantic'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_demo_is_close_to_its_truth_and_then_reused(tmp_path):
    words = ["demo", "--mode", "fastest", "--frames", "12", "--json", "--output", str(tmp_path / "out")]
    done = run_ds3d(tmp_path / "home", *words)
    assert done.returncode == 0, done.stderr[-3000:]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = json.loads((tmp_path / "out" / "demo" / "metrics.json").read_text())
    check_metrics(told)
    assert told["status"] == "ok"
    assert told["poses"]["registered"] == told["poses"]["total"] == 12
    errors = events[-1]["poses"]
    assert errors["centre_error_mean_percent"] < 1.0
    names = {"model.glb", "model.splat.ply", "model.splat.ply.gz", "pointcloud.ply", "sparse/0/cameras.bin"}
    names |= {"report.html", "view.html"}
    assert names <= told["files"].keys()

    again = run_ds3d(tmp_path / "home", *words)
    states = [json.loads(line) for line in again.stdout.splitlines()]
    reused = {e["stage"] for e in states if e["event"] == "stage" and e["state"] == "reused"}
    assert {"poses", "depth_maps", "pointcloud", "mesh", "splat"} <= reused


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("Statue", "statue"),
        ("My Statue", "my-statue"),
        ("statue", "statue"),
        ("../up", "../up"),
        (None, None),
    ],
)
def test_a_name_that_was_surely_meant_is_taken_with_a_word(tmp_path, monkeypatch, capsys, name, taken):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert plain_name(name) == taken
    assert (f"is taken as {taken!r}" in capsys.readouterr().err) == (name != taken)
