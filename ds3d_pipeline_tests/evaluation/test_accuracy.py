"""The measures of error, on reconstructions whose error is known."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from ds3d_pipeline.evaluation.accuracy import pose_accuracy, surface_accuracy, true_poses
from ds3d_pipeline.geometry.alignment import Sim3
from ds3d_pipeline.geometry.transforms import rigid, rotation_from_axis_angle_deg
from ds3d_pipeline.scene import Keyframe, Keyframes, Mesh, Reconstruction, View
from ds3d_pipeline.synthetic.options import PathOptions
from ds3d_pipeline.synthetic.path import make_path
from ds3d_pipeline.synthetic.truth import Truth, TruthFrame

WORLD_FROM_TRUTH = Sim3(
    scale=2.5, R=Rotation.from_euler("xyz", [0.3, 1, -2]).as_matrix(), t=np.array([4.0, -5, 6])
)
CUBE = trimesh.creation.box((2, 2, 2)).subdivide().subdivide()


def true_frames(count=12, times=False):
    path = make_path(PathOptions(), np.zeros(3))
    poses = [path.cam_from_world(time) for time in np.linspace(0, 1, count)]
    return tuple(
        TruthFrame(image=f"{i:04}.jpg", timestamp_s=i / 10 if times else None, cam_from_world=pose)
        for i, pose in enumerate(poses)
    )


def truth_of(frames, seen_points=None):
    return Truth(
        input=Path("images"),
        size_wh=(640, 480),
        K=np.eye(3),
        radial_k1=0,
        frames=frames,
        vertices=np.array(CUBE.vertices),
        faces=np.array(CUBE.faces, dtype=np.int32),
        seen_points=CUBE.sample(20_000, seed=1) if seen_points is None else seen_points,
    )


def reconstruction_of(poses):
    views = [
        View(
            image=image,
            image_size_wh=(640, 480),
            K=np.eye(3),
            cam_from_world=WORLD_FROM_TRUTH.cam_from_target(pose),
            point_ids=np.zeros(0, dtype=np.int32),
        )
        for image, pose in poses.items()
    ]
    none = np.zeros(0)
    return Reconstruction(
        views=tuple(views),
        points_in_world=np.zeros((0, 3)),
        colors=np.zeros((0, 3), dtype=np.uint8),
        errors_px=none,
        track_lengths=none.astype(np.int32),
    )


def world_mesh(vertices):
    world = WORLD_FROM_TRUTH.apply(vertices)
    return Mesh(vertices_in_world=world.astype(np.float32), faces=np.array(CUBE.faces, dtype=np.int32))


def test_a_perfect_reconstruction_in_another_frame_has_no_error():
    poses = {frame.image: frame.cam_from_world for frame in true_frames()}
    report, truth_from_world = pose_accuracy(reconstruction_of(poses), poses)
    assert (report.registered, report.total) == (12, 12)
    assert report.centre_error_max < 1e-9
    assert report.rotation_error_max_deg < 1e-6
    assert truth_from_world.scale == pytest.approx(1 / 2.5)


def test_missing_views_are_counted_and_rotations_off_by_an_angle_measured():
    truth = {frame.image: frame.cam_from_world for frame in true_frames()}
    turn = rigid(rotation_from_axis_angle_deg([1, 2, 3], 2.0), np.zeros(3))
    turned = {image: turn @ pose for image, pose in list(truth.items())[:9]}
    report, _ = pose_accuracy(reconstruction_of(turned), truth)
    assert (report.registered, report.total) == (9, 12)
    assert report.rotation_error_mean_deg == pytest.approx(2.0, abs=1e-6)
    assert report.rotation_error_max_deg == pytest.approx(2.0, abs=1e-6)
    assert report.centre_error_max < 1e-9


def test_moved_centres_are_measured_in_the_units_of_the_truth():
    random = np.random.default_rng(0)
    truth = {frame.image: frame.cam_from_world for frame in true_frames(200)}
    shifts = random.normal(scale=0.01, size=(200, 3))
    moved = {}
    for (image, pose), shift in zip(truth.items(), shifts, strict=True):
        moved[image] = rigid(pose[:3, :3], pose[:3, 3] - pose[:3, :3] @ shift)
    report, _ = pose_accuracy(reconstruction_of(moved), truth)
    assert report.centre_error_mean == pytest.approx(np.linalg.norm(shifts, axis=1).mean(), rel=0.05)
    assert report.centre_error_mean_percent == pytest.approx(
        100 * report.centre_error_mean / report.path_extent
    )
    assert 1.5 < report.path_extent < 2.5


def test_alignment_without_views_or_with_two_is_refused():
    poses = {frame.image: frame.cam_from_world for frame in true_frames()}
    with pytest.raises(ValueError, match="no view"):
        pose_accuracy(reconstruction_of({"other.jpg": np.eye(4)}), poses)
    with pytest.raises(ValueError, match="at least 3"):
        pose_accuracy(reconstruction_of(dict(list(poses.items())[:2])), poses)


def test_the_true_surface_has_no_error():
    report = surface_accuracy(
        world_mesh(CUBE.vertices), WORLD_FROM_TRUTH.inverse(), truth_of(true_frames()), samples=5000
    )
    assert report.chamfer < 1e-6
    assert [score.f_score for score in report.scores] == [1, 1, 1]


def test_an_inflated_surface_is_off_by_its_offset():
    report = surface_accuracy(
        world_mesh(np.array(CUBE.vertices) * 1.03),
        WORLD_FROM_TRUTH.inverse(),
        truth_of(true_frames()),
        samples=5000,
        thresholds=(0.02, 0.04),
    )
    assert report.accuracy_median == pytest.approx(0.03, abs=1e-3)
    assert report.completeness_median == pytest.approx(0.03, abs=1e-3)
    assert report.scores[0].f_score == 0
    assert report.scores[1].f_score > 0.95


def test_half_a_surface_is_accurate_but_not_complete():
    whole = world_mesh(CUBE.vertices)
    half = Mesh(vertices_in_world=whole.vertices_in_world, faces=whole.faces[CUBE.triangles_center[:, 0] > 0])
    report = surface_accuracy(half, WORLD_FROM_TRUTH.inverse(), truth_of(true_frames()), samples=5000)
    assert report.scores[0].precision == 1
    assert report.scores[0].recall == pytest.approx(0.5, abs=0.03)
    assert report.completeness_mean > 0.1 > report.accuracy_mean


def test_truth_that_no_camera_saw_need_not_be_there():
    whole = world_mesh(CUBE.vertices)
    half = Mesh(vertices_in_world=whole.vertices_in_world, faces=whole.faces[CUBE.triangles_center[:, 0] > 0])
    points = CUBE.sample(20_000, seed=1)
    truth = truth_of(true_frames(), points[points[:, 0] > 0])
    report = surface_accuracy(half, WORLD_FROM_TRUTH.inverse(), truth, samples=5000)
    assert report.scores[0].recall == 1


def keyframes(kind, named_times):
    frames = [
        Keyframe(
            image=f"{i:06}.jpg", source=name, timestamp_s=time, sharpness=1, size_wh=(640, 480), camera=0
        )
        for i, (name, time) in enumerate(named_times)
    ]
    return Keyframes(kind=kind, frames=tuple(frames), considered=len(frames))


def test_photos_are_found_by_name_and_video_frames_by_time():
    frames = true_frames(times=True)
    by_name = true_poses(keyframes("photos", [("0003.jpg", None), ("0001.jpg", None)]), truth_of(frames))
    np.testing.assert_array_equal(by_name["000000.jpg"], frames[3].cam_from_world)
    np.testing.assert_array_equal(by_name["000001.jpg"], frames[1].cam_from_world)
    by_time = true_poses(keyframes("video", [("video.mp4", 0.52)]), truth_of(frames))
    np.testing.assert_array_equal(by_time["000000.jpg"], frames[5].cam_from_world)


@pytest.mark.parametrize(
    ("kind", "named_time", "times"),
    [
        ("photos", ("other.jpg", None), False),
        ("video", ("video.mp4", 5.0), True),
        ("video", ("video.mp4", None), True),
        ("video", ("video.mp4", 0.1), False),
    ],
)
def test_unknown_frames_are_refused(kind, named_time, times):
    with pytest.raises(ValueError, match=r"."):
        true_poses(keyframes(kind, [named_time]), truth_of(true_frames(times=times)))
