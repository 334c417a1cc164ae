"""The pycolmap rung on a synthetic capture with exact truth, on a real one, and on hopeless ones."""

import json

import cv2
import numpy as np
import pycolmap
import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.evaluation.accuracy import pose_accuracy, true_poses
from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.geometry.alignment import align_sim3
from ds3d_pipeline.poses.colmap.pycolmap_stage import map_with_pycolmap
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.programs.contract import Progress, Work
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.scene import Keyframe, Keyframes
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions

SIZE_WH = (480, 360)
FOCAL_PX = 420.0


def stage_photos(folder, photos, kind="photos", focal_px=None, source_size_wh=None):
    """An INPUT folder of the poses program from (source name, BGR pixels)."""
    (folder / "images").mkdir(parents=True)
    frames = []
    for index, (source, pixels) in enumerate(photos):
        name = f"{index + 1:06}.jpg"
        cv2.imwrite(str(folder / "images" / name), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
        size_wh = (pixels.shape[1], pixels.shape[0])
        timestamp_s = index / 10 if kind == "video" else None
        frame = Keyframe(
            image=name,
            source=source,
            timestamp_s=timestamp_s,
            sharpness=1,
            size_wh=size_wh,
            camera=0,
            focal_px=focal_px,
            source_size_wh=source_size_wh,
        )
        frames.append(frame)
    keyframes = Keyframes(kind=kind, frames=tuple(frames), considered=len(frames))
    write_json(folder / "keyframes.json", keyframes)
    return keyframes


def run(input_dir, output_dir, **options):
    output_dir.mkdir()
    work = Work(
        input=input_dir,
        output=output_dir,
        backend="pycolmap",
        options=PosesOptions(**options),
        progress=Progress(output_dir / "progress.jsonl", min_interval_s=0),
    )
    return map_with_pycolmap(work)


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """12 photos with a little distortion, and their truth."""
    folder = tmp_path_factory.mktemp("capture")
    options = SyntheticOptions(
        camera=CameraOptions(size_wh=SIZE_WH, focal_px=FOCAL_PX, radial_k1=-0.05),
        path=PathOptions(arc_deg=50),
        frames=12,
    )
    truth = make_capture(folder, options)
    return truth, [(frame.image, cv2.imread(str(truth.input / frame.image))) for frame in truth.frames]


@pytest.fixture(scope="module")
def mapped(capture, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mapped")
    truth, photos = capture
    keyframes = stage_photos(folder / "input", photos)
    result = run(folder / "input", folder / "output")
    return truth, keyframes, result, folder / "output"


@pytest.mark.slow
def test_poses_and_camera_are_those_of_the_truth(mapped):
    truth, keyframes, result, output = mapped
    report, _ = pose_accuracy(read_reconstruction(output / "sparse"), true_poses(keyframes, truth))
    assert (report.registered, report.total) == (12, 12)
    assert report.centre_error_max_percent < 1
    assert report.rotation_error_max_deg < 0.5
    (camera,) = result.cameras
    assert camera.model == "SIMPLE_RADIAL"
    assert camera.params[0] == pytest.approx(FOCAL_PX, rel=0.02)
    assert camera.params[3] == pytest.approx(-0.05, abs=0.02)


@pytest.mark.slow
def test_result_agrees_with_the_written_model(mapped):
    _, _, result, output = mapped
    model = pycolmap.Reconstruction(output / "sparse")
    assert (result.registered, result.total, result.unregistered) == (12, 12, ())
    assert (result.retries, [attempt.registered for attempt in result.attempts]) == (0, [12])
    assert result.points == model.num_points3D() > 300
    assert 0 < result.mean_reprojection_error_px < 1
    assert set(result.phase_seconds) == {
        "features",
        "matching",
        "mapping",
        "diagnosis",
        "undistortion",
    }


@pytest.mark.slow
def test_images_beside_the_model_fit_its_cameras(mapped):
    _, keyframes, _, output = mapped
    views = read_reconstruction(output / "sparse").views
    assert [view.image for view in views] == [frame.image for frame in keyframes.frames]
    assert sorted(path.name for path in (output / "images").iterdir()) == [view.image for view in views]
    for view in views:
        height, width = cv2.imread(str(output / "images" / view.image)).shape[:2]
        assert view.image_size_wh == (width, height)


@pytest.mark.slow
def test_world_is_down_centred_and_of_unit_spread(mapped):
    """+y is down in the true scene, seen through the alignment to the truth."""
    truth, keyframes, _, output = mapped
    reconstruction = read_reconstruction(output / "sparse")
    centres = np.stack([view.centre_in_world for view in reconstruction.views])
    assert np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean() == pytest.approx(1)
    # Near the origin, not on it: a median by coordinate depends on the axes, and those turned since.
    assert np.linalg.norm(np.median(reconstruction.points_in_world, axis=0)) < 0.1
    _, truth_from_world = pose_accuracy(reconstruction, true_poses(keyframes, truth))
    origin, below = truth_from_world.apply(np.array([[0.0, 0, 0], [0, 1, 0]]))
    down = (below - origin) / np.linalg.norm(below - origin)
    assert np.degrees(np.arccos(min(down[1], 1))) < 5


@pytest.mark.slow
def test_progress_rises_to_one(mapped):
    lines = [json.loads(line) for line in (mapped[3] / "progress.jsonl").read_text().splitlines()]
    fractions = [line["fraction"] for line in lines]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


@pytest.mark.slow
def test_same_seed_gives_the_same_cameras(mapped, tmp_path):
    """Within a thousandth of the scene's size, whatever the threads did."""
    _, _, _, output = mapped
    run(output.parent / "input", tmp_path / "again")
    first, second = (read_reconstruction(folder / "sparse") for folder in (output, tmp_path / "again"))
    assert [view.image for view in first.views] == [view.image for view in second.views]
    a, b = (np.stack([view.centre_in_world for view in model.views]) for model in (first, second))
    size = np.ptp(a, axis=0).max()
    assert np.linalg.norm(align_sim3(b, a).apply(b) - a, axis=1).max() < 1e-3 * size


@pytest.mark.slow
def test_video_frames_are_matched_in_sequence_with_the_given_focal_length(capture, tmp_path):
    _, photos = capture
    stage_photos(tmp_path / "input", photos, kind="video", focal_px=FOCAL_PX)
    result = run(tmp_path / "input", tmp_path / "output", sequential_overlap=3)
    assert (result.registered, result.pairs) == (12, "sequential and similar")
    assert result.cameras[0].params[0] == pytest.approx(FOCAL_PX, rel=0.02)


@pytest.mark.slow
def test_unrelated_photo_is_named(capture, tmp_path):
    _, photos = capture
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE_WH[::-1], 3)).astype(np.uint8)
    stage_photos(tmp_path / "input", [*photos[:6], ("noise.jpg", noise)])
    result = run(tmp_path / "input", tmp_path / "output")
    assert result.unregistered == ("000007.jpg",)
    assert result.registered == 6
    assert result.retries == 0


def blank(_photos):
    return [(f"{i}.jpg", np.full((*SIZE_WH[::-1], 3), 90 + i, np.uint8)) for i in range(4)]


def identical(photos):
    return [photos[0]] * 4


def unrelated(_photos):
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (*SIZE_WH[::-1], 3)).astype(np.uint8) for _ in range(4)]
    return [(f"{i}.jpg", cv2.GaussianBlur(picture, (0, 0), 2)) for i, picture in enumerate(pictures)]


@pytest.mark.slow
def test_tries_with_looser_thresholds_and_more_features_are_told(capture, tmp_path):
    """Two photos of eight belong to nothing: below the share that ends the tries."""
    _, photos = capture
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (*SIZE_WH[::-1], 3)).astype(np.uint8) for _ in range(2)]
    strangers = [(f"noise{i}.jpg", picture) for i, picture in enumerate(noise)]
    stage_photos(tmp_path / "input", [*photos[:6], *strangers])
    result = run(tmp_path / "input", tmp_path / "output", max_side_px=300, max_features=600)
    tries = [(attempt.loose, attempt.more) for attempt in result.attempts]
    assert (tries, result.retries) == ([(False, 1), (True, 1), (True, 2)], 2)
    assert result.registered == max(attempt.registered for attempt in result.attempts) == 6


@pytest.mark.slow
@pytest.mark.parametrize("make_photos", [blank, identical, unrelated])
def test_hopeless_captures_are_refused_with_cause_and_remedy(capture, tmp_path, make_photos):
    stage_photos(tmp_path / "input", make_photos(capture[1]))
    with pytest.raises(StageError) as caught:
        run(tmp_path / "input", tmp_path / "output")
    assert "of the 4 photos could be aligned" in caught.value.cause
    assert caught.value.remedy
    assert not (tmp_path / "output" / "sparse").exists()


@pytest.mark.parametrize(("known", "limit_m"), [(False, 0.007), (True, 0.0035)])
def test_fountain_is_registered_within_millimetres(shared_data, tmp_path, known, limit_m):
    fountain = shared_data / "fountain-P11"
    photos = [(path.name, cv2.imread(str(path))) for path in sorted((fountain / "images").iterdir())]
    small = [(name, cv2.resize(p, (1024, 683), interpolation=cv2.INTER_AREA)) for name, p in photos]
    stage_photos(tmp_path / "input", small, source_size_wh=(3072, 2048))
    K = tuple(map(tuple, np.loadtxt(fountain / "K.txt").tolist())) if known else None
    result = run(tmp_path / "input", tmp_path / "output", max_side_px=1024, K=K)
    assert result.registered == 11
    assert (result.intrinsics == "given") == known
    cameras = sorted((fountain / "gt_dense_cameras").glob("*.camera"))
    truth = np.array([[float(x) for x in path.read_text().splitlines()[7].split()] for path in cameras])
    centres = np.stack([v.centre_in_world for v in read_reconstruction(tmp_path / "output" / "sparse").views])
    errors_m = np.linalg.norm(align_sim3(centres, truth).apply(centres) - truth, axis=1)
    assert errors_m.mean() < limit_m
