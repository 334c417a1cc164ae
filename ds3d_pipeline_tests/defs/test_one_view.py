"""Captures that no stereo can use say why, and hand over files that open; a flat card is no 3D."""

import json
import shutil

import av
import cv2
import numpy as np
import pytest
import trimesh

from ds3d_pipeline.depth.learned.alignment import FAR_OVER_NEAR
from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.formats.splat_ply import read_splat_ply
from ds3d_pipeline.metrics.schema import check_metrics
from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline_tests.captures import run_ds3d
from ds3d_pipeline_tests.depth.onnx_models import flattened, weighted_colors

pytestmark = pytest.mark.slow

FLAT = "No 3D shape could be recovered: model.glb is just the photo on a flat rectangle."
ONE_SIDED = "No camera positions were found, so the result is built from a single photo."


def one(photos, folder):
    return [photos[3]]


def two(photos, folder):
    return photos[2:4]


def identical(photos, folder):
    """Four copies, as files that differ."""
    folder.mkdir()
    for number in range(4):
        path = folder / f"{number}.jpg"
        shutil.copyfile(photos[3], path)
        with path.open("ab") as file:
            file.write(bytes(number))
    return sorted(folder.iterdir())


def turning(photos, folder):
    """A video of a camera that only turns: a window that slides over a homography of one photo."""
    folder.mkdir()
    photo = cv2.resize(cv2.imread(str(photos[3])), (640, 480), interpolation=cv2.INTER_CUBIC)
    K = np.array([[280.0, 0, 160], [0, 280, 120], [0, 0, 1]])
    wide_K = np.array([[420.0, 0, 320], [0, 420, 240], [0, 0, 1]])
    with av.open(folder / "turning.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for angle in np.radians(np.linspace(-9, 9, 30)):
            turn = cv2.Rodrigues(np.array([0.1 * angle, angle, 0]))[0]
            view = cv2.warpPerspective(photo, K @ turn @ np.linalg.inv(wide_K), (320, 240))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(view[:, :, ::-1]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return [folder / "turning.mp4"]


def reconstruct(tmp_path, inputs, *words, status="failed"):
    """Runs the command line and returns the published folder and its metrics."""
    out = ("--output", tmp_path / "out", "--name", "few", "--mode", "fastest")
    done = run_ds3d(tmp_path / "home", "reconstruct", *inputs, *out, *words)
    assert done.returncode == (1 if status == "failed" else 0), done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert f"status: {status}" in done.stdout
    told = json.loads((tmp_path / "out" / "few" / "metrics.json").read_text())
    check_metrics(told)
    assert told["status"] == status
    return tmp_path / "out" / "few", told


@pytest.mark.parametrize("make", [one, two, identical, turning])
def test_few_or_useless_photos_fail_with_a_card_that_says_so(tmp_path, small_photos, make):
    folder, told = reconstruct(tmp_path, make(sorted(small_photos.iterdir()), tmp_path / "made"))
    backends = {stage: entry["backend"] for stage, entry in told["stages"].items()}
    assert (backends["poses"], backends["depth_maps"], backends["mesh"]) == ("single", "card", "relief")
    reasons = told["reasons"]
    tried = told["stages"]["poses"]["attempts"]
    assert reasons[0] == next(one["reason"] for one in tried if one["outcome"] == "failed")
    assert {FLAT, ONE_SIDED} <= set(reasons)
    assert any("ds3d models fetch" in reason for reason in reasons)
    assert told["poses"]["registered"] == 1

    mesh, _ = read_glb(folder / "model.glb")
    assert np.ptp(mesh.vertices_in_world[:, 2]) == 0
    assert mesh.texture is not None
    assert trimesh.load(folder / "model.glb", force="mesh").faces.shape == mesh.faces.shape
    assert len(read_pointcloud(folder / "pointcloud.ply").points_in_world) > 1000
    assert len(read_splat_ply(folder / "model.splat.ply").means) > 1000
    (view,) = read_reconstruction(folder / "sparse/0").views
    assert (folder / "images" / view.image).is_file()


def nan_model(path):
    return weighted_colors(path, offset=np.nan)


def cut_model(path):
    weighted_colors(path).write_bytes(path.read_bytes()[:-40])
    return path


def missing_model(path):
    return path


NOT_AVAILABLE = "Depth maps: the learned depth model is not available."
FELL_BACK = "Depth maps: a flat rectangle is used because the learned depth model failed."
UNUSABLE = {
    flattened: f"{FELL_BACK} {{}} gives an output of shape",
    nan_model: f"{FELL_BACK} {{}} gives depth that is not finite.",
    cut_model: f"{FELL_BACK} {{}} cannot be opened as an ONNX model",
    missing_model: f"{NOT_AVAILABLE} There is no depth model at {{}}.",
}


def test_every_unusable_model_is_one_sentence_and_the_next_rung(tmp_path, small_photos):
    photo = sorted(small_photos.iterdir())[3]
    for number, (make, sentence) in enumerate(UNUSABLE.items()):
        model = make(tmp_path / f"{number}.onnx")
        config = tmp_path / f"{number}.json"
        config.write_text(json.dumps({"depth_maps": {"model": str(model), "model_side_px": 112}}))
        _, told = reconstruct(tmp_path, [photo], "--config", config)
        assert told["stages"]["depth_maps"]["backend"] == "card"
        (reason,) = [one for one in told["reasons"] if one.startswith(sentence.format(model))]
        assert "\n" not in reason
        assert FLAT in told["reasons"]


def test_a_damaged_model_is_told_and_once_it_is_whole_there_is_depth(tmp_path, small_photos):
    photo, model = sorted(small_photos.iterdir())[3], tmp_path / "model.onnx"
    table = {"model": str(model), "model_side_px": 112, "model_sha256": file_sha256(weighted_colors(model))}
    config = tmp_path / "own.json"
    config.write_text(json.dumps({"depth_maps": table}))
    model.write_bytes(model.read_bytes()[:-40])
    _, told = reconstruct(tmp_path, [photo], "--config", config)
    assert told["stages"]["depth_maps"]["backend"] == "card"
    (reason,) = [r for r in told["reasons"] if r.startswith(NOT_AVAILABLE)]
    assert "damaged" in reason

    weighted_colors(model)
    folder, told = reconstruct(tmp_path, [photo], "--config", config, status="degraded")
    assert told["stages"]["depth_maps"]["backend"] == "monocular"
    assert told["depth"]["estimated"] == told["depth"]["coverage"] > 0.1
    assert "Depth is estimated by a learned model from single photos, not measured." in told["reasons"]
    assert FLAT not in told["reasons"]
    assert (told["depth"]["model"], told["depth"]["provider"]) == ("model.onnx", "CPU")
    mesh, _ = read_glb(folder / "model.glb")
    assert np.ptp(mesh.vertices_in_world[:, 2]) > 0.5
    cloud = read_pointcloud(folder / "pointcloud.ply").points_in_world
    assert 1 - 1e-4 <= cloud[:, 2].min() < 1.2
    assert 0.8 * FAR_OVER_NEAR < cloud[:, 2].max() <= FAR_OVER_NEAR + 1e-4
