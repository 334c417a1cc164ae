"""ds3d from Python: finished folders, arguments that do not fit, and whole runs."""

import dataclasses
import json
import subprocess
import sys
import threading

import numpy as np
import pytest

import ds3d_pipeline
from ds3d_pipeline import Capture, ReconstructionFailed, open_capture, reconstruct
from ds3d_pipeline.api import _Follower
from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.execution.progress import RunState, StageState
from ds3d_pipeline.metrics.record import Status
from ds3d_pipeline.programs.options import table_of
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline_tests.finished import VIEWS, publish_finished


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return publish_finished(tmp_path_factory.mktemp("finished"))


def test_a_finished_folder_is_read_as_records(finished):
    capture = open_capture(str(finished))
    assert (capture.name, capture.status, capture.folder) == ("wall", Status.OK, finished)
    assert len(capture.mesh.vertices_in_world) == capture.metrics.mesh.vertices
    assert len(capture.mesh.faces) == capture.metrics.mesh.faces
    assert len(capture.splat.means) == capture.metrics.splat.gaussians
    assert len(capture.points.points_in_world) == capture.metrics.pointcloud.points
    assert [camera.image for camera in capture.cameras] == [f.image for f in capture.metrics.keyframes]
    assert all(camera.K.shape == (3, 3) for camera in capture.cameras)
    assert len(capture.cameras) == VIEWS


def test_every_file_of_a_finished_folder_has_its_path(finished):
    files = open_capture(finished).files
    assert {"model.glb", "model.splat.ply", "report.html", "metrics.json"} <= files.keys()
    assert all(path.is_file() for path in files.values())


def test_a_file_is_read_once_and_only_when_it_is_asked_for(tmp_path):
    capture = open_capture(publish_finished(tmp_path))
    assert capture.splat is capture.splat
    (capture.folder / "model.glb").write_bytes(b"damaged")
    with pytest.raises(StageError, match=r"model\.glb is not a GLB"):
        _ = capture.mesh


def test_a_result_that_is_missing_is_named_with_the_reason(tmp_path):
    capture = open_capture(publish_finished(tmp_path))
    capture = dataclasses.replace(
        capture, metrics=dataclasses.replace(capture.metrics, reasons=("Nothing was seen.",))
    )
    (capture.folder / "pointcloud.ply").unlink()
    with pytest.raises(InputError, match=r"has no pointcloud\.ply. Nothing was seen\."):
        _ = capture.points


@pytest.mark.parametrize("text", [None, "", "[1]", '{"status": "ok"}', "[" * 100_000])
def test_a_folder_that_is_no_finished_capture_is_refused_in_one_sentence(tmp_path, text):
    if text is not None:
        (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=str(tmp_path)):
        open_capture(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"mode": "best"}, "'best' is not a mode"),
        ({"options": {"soup": {}}}, "'soup' is not a stage"),
        ({"options": {"splat": {"max_seconds": -1}}}, "splat.max_seconds cannot be -1"),
        ({"options": {"splat": 3}}, "'splat' is not a stage"),
        ({"prefer": {"poses": "magic"}}, "prefer: poses=magic: no such backend"),
        ({"prefer": {"soup": "magic"}}, "prefer: soup=magic: there is no such stage"),
        ({}, "none.mp4"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_any_work(tmp_path, monkeypatch, arguments, named):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with pytest.raises(InputError, match=named):
        reconstruct(tmp_path / "none.mp4", output=tmp_path / "out", **arguments)
    assert not list(tmp_path.iterdir())


def test_options_are_a_table_or_a_whole_record():
    own = SplatOptions(max_seconds=7.0)
    assert MODES["quality"].options_with("splat", table_of(own)) == own
    assert table_of({"max_seconds": 7.0}) == {"max_seconds": 7.0}


def test_progress_is_handed_on_where_something_changed():
    seen, now = [], [StageState(stage="capture", state="running", fraction=0.5)]
    follower = _Follower("wall", seen.append)
    with follower.following(lambda: RunState(stages=tuple(now))):
        follower.look()
        follower.look()
        now[0] = StageState(stage="capture", state="done")
    assert [[stage.state for stage in progress.stages] for progress in seen] == [["running"], ["done"]]
    assert [len(progress.running) for progress in seen] == [1, 0]


def test_the_package_gives_its_names_and_imports_nothing_for_them():
    script = (
        "import sys, ds3d_pipeline\n"
        "print(sorted({'dagster', 'numpy', 'pydantic', 'ds3d_pipeline.api'} & sys.modules.keys()))\n"
        "assert all(callable(getattr(ds3d_pipeline, name)) for name in ds3d_pipeline.__all__)\n"
        "assert not hasattr(ds3d_pipeline, 'soup')\n"
        "print('dagster' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
    assert set(ds3d_pipeline.__all__) >= {"Capture", "open_capture", "reconstruct"}


def in_a_thread(call):
    """What a call returns, or raises, in a thread that is not the main one."""
    ended = {}

    def run() -> None:
        try:
            ended["result"] = call()
        except BaseException as error:
            ended["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in ended:
        raise ended["error"]
    return ended["result"]


@pytest.mark.slow
def test_a_run_in_a_thread_and_then_one_that_an_exception_cancels(tmp_path, small_photos, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    words = {"mode": "fastest", "output": tmp_path / "out", "name": "tiny"}
    seen = []
    capture = in_a_thread(lambda: reconstruct(small_photos, **words, on_progress=seen.append))
    assert isinstance(capture, Capture)
    assert (capture.status, capture.reasons) == (Status.OK, ())
    assert {stage.state for stage in seen[-1].stages} == {"done"}
    assert len(capture.cameras) == 8
    assert np.isfinite(capture.mesh.vertices_in_world).all()
    assert open_capture(tmp_path / "out" / "tiny").metrics == capture.metrics

    def stop(progress):
        if progress.running:
            raise RuntimeError("enough")

    other = {"depth_maps": {"max_side_px": 200}}
    with pytest.raises(RuntimeError, match="enough"):
        in_a_thread(lambda: reconstruct([small_photos], **words, options=other, on_progress=stop))
    assert not list((tmp_path / "home" / "work").iterdir())
    assert open_capture(tmp_path / "out" / "tiny").metrics == capture.metrics


@pytest.mark.slow
def test_a_run_that_fails_raises_with_what_was_published(tmp_path, small_photos, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DS3D_MEMORY_MB", "1")
    with pytest.raises(ReconstructionFailed) as raised:
        reconstruct(small_photos, mode="fastest", output=tmp_path / "out")
    failed = raised.value
    assert failed.cause == failed.capture.reasons[0]
    assert failed.capture.status is Status.FAILED
    assert (failed.capture.folder / "report.html").is_file()
    assert json.loads(failed.capture.files["metrics.json"].read_text())["status"] == "failed"
