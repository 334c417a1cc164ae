"""The OpenCV rung from pictures to files, on a synthetic capture with exact truth and on hopeless ones."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pycolmap
import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.evaluation.accuracy import pose_accuracy, true_poses
from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.poses.opencv.stage import map_with_opencv
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.poses.report import CameraModel, PosesReport
from ds3d_pipeline.programs.contract import Progress, Work
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.stages.plan import plan_ladder
from ds3d_pipeline.stages.table import STAGE_CARDS, find_rung
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions
from ds3d_pipeline_tests.poses.colmap.test_pycolmap_stage import stage_photos

pytestmark = pytest.mark.slow

SIZE_WH = (480, 360)
FOCAL_PX = 420.0
RADIAL_K = -0.05
MAX_FEATURES = 2500


def run(input_dir, output_dir, **options):
    output_dir.mkdir()
    progress = Progress(output_dir / "progress.jsonl", min_interval_s=0)
    work = Work(
        input=input_dir,
        output=output_dir,
        backend="opencv",
        options=PosesOptions(max_features=MAX_FEATURES, **options),
        progress=progress,
    )
    return map_with_opencv(work)


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """12 photos with a little distortion, and their truth."""
    folder = tmp_path_factory.mktemp("capture")
    camera = CameraOptions(size_wh=SIZE_WH, focal_px=FOCAL_PX, radial_k1=RADIAL_K)
    truth = make_capture(folder, SyntheticOptions(camera=camera, path=PathOptions(arc_deg=50), frames=12))
    return truth, [(frame.image, cv2.imread(str(truth.input / frame.image))) for frame in truth.frames]


@pytest.fixture(scope="module")
def mapped(capture, tmp_path_factory):
    """What the ladder's own command makes of the photos, in a process of its own."""
    folder = tmp_path_factory.mktemp("mapped")
    truth, photos = capture
    keyframes = stage_photos(folder / "input", photos)
    write_json(folder / "options.json", PosesOptions(max_features=MAX_FEATURES))
    plan = plan_ladder("poses", PosesOptions(), prefer="opencv")
    rung = find_rung("poses", plan.rungs[0])
    argv = rung.argv(str(folder / "input"), str(folder / "output"), str(folder / "options.json"))
    subprocess.run(argv, check=True, timeout=300)
    result = read_json(folder / "output" / "result.json", PosesReport)
    return truth, keyframes, result, folder / "output"


def test_it_is_the_rung_below_pycolmap():
    names = list(STAGE_CARDS["poses"].backends)
    assert names.index("opencv") > names.index("pycolmap")
    argv = find_rung("poses", "opencv").argv("in", "out", "options.json")
    assert argv[:3] == (sys.executable, "-m", "ds3d_pipeline.poses")


def test_poses_and_camera_are_those_of_the_truth(mapped):
    truth, keyframes, result, output = mapped
    report, _ = pose_accuracy(read_reconstruction(output / "sparse"), true_poses(keyframes, truth))
    assert (report.registered, report.total) == (12, 12)
    assert report.centre_error_max_percent < 0.5
    assert report.rotation_error_max_deg < 0.25
    (camera,) = result.cameras
    assert camera.model == "SIMPLE_RADIAL"
    assert camera.params[0] == pytest.approx(FOCAL_PX, rel=0.02)
    assert camera.params[3] == pytest.approx(RADIAL_K, abs=0.02)


def test_result_agrees_with_the_written_model(mapped):
    _, keyframes, result, output = mapped
    model = pycolmap.Reconstruction(output / "sparse")
    assert (result.registered, result.total, result.unregistered) == (12, 12, ())
    assert (result.largest_gap, result.scale, result.diagnosis) == (0, "arbitrary", None)
    assert result.points == model.num_points3D() > 300
    assert result.mean_track_length == pytest.approx(model.compute_mean_track_length())
    flat_error = model.compute_mean_reprojection_error()
    assert result.mean_reprojection_error_px == pytest.approx(flat_error, rel=0.1)
    assert flat_error < 1
    assert set(result.phase_seconds) == {"features", "matching", "mapping", "undistortion"}
    names = [view.image for view in read_reconstruction(output / "sparse").views]
    assert names == [frame.image for frame in keyframes.frames]
    assert not (output / "scratch").exists()


def test_points_have_the_colour_that_the_pictures_show_there(mapped):
    """Seen through the written cameras: cameras, pictures and points agree."""
    _, _, _, output = mapped
    model = pycolmap.Reconstruction(output / "sparse")
    differences = []
    for image in model.images.values():
        picture = cv2.GaussianBlur(cv2.imread(str(output / "images" / image.name)), (0, 0), 0.7)
        assert (image.camera.width, image.camera.height) == picture.shape[1::-1]
        for seen in image.get_observation_points2D():
            point = model.points3D[seen.point3D_id]
            u, v = image.project_point(point.xyz)
            if 1 < u < picture.shape[1] - 1 and 1 < v < picture.shape[0] - 1:
                differences.append(np.abs(picture[int(v), int(u), ::-1] - point.color.astype(float)).mean())
    assert len(differences) > 2000
    assert np.median(differences) < 15


def test_world_is_down_and_of_unit_spread(mapped):
    truth, keyframes, _, output = mapped
    reconstruction = read_reconstruction(output / "sparse")
    centres = np.stack([view.centre_in_world for view in reconstruction.views])
    assert np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean() == pytest.approx(1)
    _, truth_from_world = pose_accuracy(reconstruction, true_poses(keyframes, truth))
    origin, below = truth_from_world.apply(np.array([[0.0, 0, 0], [0, 1, 0]]))
    down = (below - origin) / np.linalg.norm(below - origin)
    assert np.degrees(np.arccos(min(down[1], 1))) < 5


def test_progress_rises_to_one(mapped):
    lines = [json.loads(line) for line in (mapped[3] / "progress.jsonl").read_text().splitlines()]
    fractions = [line["fraction"] for line in lines]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_same_seed_gives_the_same_cameras(mapped, tmp_path):
    _, _, _, output = mapped
    run(output.parent / "input", tmp_path / "again")
    first, second = (read_reconstruction(folder / "sparse") for folder in (output, tmp_path / "again"))
    assert [view.image for view in first.views] == [view.image for view in second.views]
    a, b = (np.stack([view.centre_in_world for view in model.views]) for model in (first, second))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_video_with_a_given_focal_length_and_a_frame_of_something_else(capture, tmp_path):
    _, photos = capture
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE_WH[::-1], 3)).astype(np.uint8)
    frames = [*photos[:5], ("noise.jpg", noise), *photos[5:]]
    stage_photos(tmp_path / "input", frames, kind="video", focal_px=FOCAL_PX)
    result = run(tmp_path / "input", tmp_path / "output", sequential_overlap=3)
    assert (result.registered, result.pairs) == (12, "sequential and similar")
    assert result.unregistered == ("000006.jpg",)
    assert result.cameras[0].params[0] == pytest.approx(FOCAL_PX, rel=0.02)


def test_given_intrinsics_are_kept_and_the_pictures_left_alone(tmp_path):
    """Pixels that are not square, and a principal point off the middle."""
    camera = CameraOptions(size_wh=SIZE_WH, focal_px=FOCAL_PX)
    truth = make_capture(
        tmp_path / "capture", SyntheticOptions(camera=camera, path=PathOptions(arc_deg=40), frames=8)
    )
    pictures = [cv2.imread(str(truth.input / frame.image))[:, 40:] for frame in truth.frames]
    stretched = [
        cv2.resize(picture, None, fx=1, fy=1.1, interpolation=cv2.INTER_CUBIC) for picture in pictures
    ]
    photos = list(zip([frame.image for frame in truth.frames], stretched, strict=True))
    keyframes = stage_photos(tmp_path / "input", photos, source_size_wh=(440, 396))
    K = ((420.0, 0.0, 200.0), (0.0, 462.0, 198.0), (0.0, 0.0, 1.0))
    result = run(tmp_path / "input", tmp_path / "output", K=K)
    assert (result.registered, result.intrinsics) == (8, "given")
    assert result.cameras == (CameraModel(model="PINHOLE", params=(420, 462, 200, 198)),)
    model = read_reconstruction(tmp_path / "output" / "sparse")
    np.testing.assert_allclose(model.views[0].K, K)
    report, _ = pose_accuracy(model, true_poses(keyframes, truth))
    assert report.centre_error_max_percent < 0.5
    assert pycolmap.Reconstruction(tmp_path / "output" / "sparse").compute_mean_reprojection_error() < 1
    first = keyframes.frames[0].image
    assert (tmp_path / "output" / "images" / first).read_bytes() == (
        tmp_path / "input" / "images" / first
    ).read_bytes()


def blank(_photos):
    return [(f"{i}.jpg", np.full((*SIZE_WH[::-1], 3), 90 + i, np.uint8)) for i in range(4)]


def identical(photos):
    return [photos[0]] * 4


def unrelated(_photos):
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (*SIZE_WH[::-1], 3)).astype(np.uint8) for _ in range(4)]
    return [(f"{i}.jpg", cv2.GaussianBlur(picture, (0, 0), 2)) for i, picture in enumerate(pictures)]


@pytest.mark.parametrize("make_photos", [blank, identical, unrelated])
def test_hopeless_captures_are_refused_with_cause_and_remedy(capture, tmp_path, make_photos):
    stage_photos(tmp_path / "input", make_photos(capture[1]))
    with pytest.raises(StageError) as caught:
        run(tmp_path / "input", tmp_path / "output")
    assert "of the 4 photos could be aligned" in caught.value.cause
    assert caught.value.remedy
    assert not (tmp_path / "output" / "sparse").exists()
