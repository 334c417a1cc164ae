"""The world frame: +y down, centred, unit camera spread."""

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from ds3d_pipeline.poses.normalize import find_down, normalize, rotation_to_down, world_rotation
from ds3d_pipeline.synthetic.options import PathOptions, SceneOptions
from ds3d_pipeline.synthetic.path import make_path
from ds3d_pipeline.synthetic.scene import make_scene


@pytest.mark.parametrize("down", [[0, 1, 0], [0, -1, 0], [1, 0, 0], [0.36, -0.8, 0.48]])
def test_down_becomes_plus_y(down):
    rotation = rotation_to_down(np.asarray(down, float))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(rotation @ down, [0, 1, 0], atol=1e-9)


@pytest.mark.parametrize(("arc_deg", "limit_deg"), [(50, 6), (80, 3), (180, 1), (360, 0.5)])
def test_cameras_that_look_down_are_levelled(arc_deg, limit_deg):
    """The path looks down at a table: the mean of the down axes alone tilts by up to 22 degrees."""
    path = make_path(PathOptions(arc_deg=arc_deg), make_scene(SceneOptions()).target)
    rotations = np.stack([path.cam_from_world(time)[:3, :3] for time in np.linspace(0, 1, 30)])
    down = find_down(rotations)
    assert down is not None
    assert np.degrees(np.arccos(min(down[1], 1))) < limit_deg


def test_one_camera_held_askew_hardly_counts():
    path = make_path(PathOptions(arc_deg=120), make_scene(SceneOptions()).target)
    rotations = np.stack([path.cam_from_world(time)[:3, :3] for time in np.linspace(0, 1, 30)])
    rotations[7] = Rotation.from_euler("z", 90, degrees=True).as_matrix() @ rotations[7]
    down = find_down(rotations)
    assert down is not None
    assert np.degrees(np.arccos(min(down[1], 1))) < 3


def test_without_a_direction_down_the_frame_is_the_first_cameras():
    turned = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()
    rotations = np.stack([turned, np.diag([-1.0, -1.0, 1.0]) @ turned])
    assert find_down(rotations) is None
    np.testing.assert_array_equal(world_rotation(rotations, None), turned)


@pytest.mark.parametrize("pitch_deg", [0, 40, -40, 90, -90])
def test_the_first_camera_looks_ahead(pitch_deg):
    """Or its upper edge is ahead where it looks straight down, and behind where it looks up."""
    camera = Rotation.from_euler("x", pitch_deg, degrees=True).as_matrix()
    world = Rotation.from_euler("xyz", [30, -50, 70], degrees=True).as_matrix()
    rotation = world_rotation((camera @ world.T)[None], world @ [0, 1, 0])
    back = np.sign(np.cos(np.radians(pitch_deg)) + 1e-9) * rotation @ world
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(np.abs(back), np.eye(3), atol=1e-9)


def test_the_frame_does_not_depend_on_that_of_the_mapping():
    found = []
    for seed in range(4):
        model = synthesize()
        random = Rotation.random(random_state=seed).as_matrix()
        model.transform(pycolmap.Sim3d(1.0 + seed, pycolmap.Rotation3d(random), np.array([seed, 2.0, -1.0])))
        normalize(model)
        found.append(centres(model))
    np.testing.assert_allclose(found[1:], np.broadcast_to(found[0], (3, *found[0].shape)), atol=1e-9)


def synthesize():
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 8
    options.num_points3D = 60
    pycolmap.set_random_seed(1)
    return pycolmap.synthesize_dataset(options)


def test_model_is_levelled_centred_and_scaled_rigidly():
    model = synthesize()
    turn = Rotation.from_euler("xyz", [200, 40, -70], degrees=True).as_matrix()
    model.transform(pycolmap.Sim3d(7.0, pycolmap.Rotation3d(turn), np.array([5.0, -9.0, 2.0])))
    before = centres(model)
    normalize(model)
    after = centres(model)
    down = find_down(np.stack([image.cam_from_world().matrix()[:, :3] for image in model.images.values()]))
    np.testing.assert_allclose(np.median([p.xyz for p in model.points3D.values()], axis=0), 0, atol=1e-9)
    assert np.linalg.norm(after - after.mean(axis=0), axis=1).mean() == pytest.approx(1)
    np.testing.assert_allclose(down, [0, 1, 0], atol=1e-9)
    ratios = distances(after) / distances(before)
    np.testing.assert_allclose(ratios, ratios[0])
    model.update_point_3d_errors()
    assert model.compute_mean_reprojection_error() < 1e-6


def centres(model):
    return np.stack([model.images[i].projection_center() for i in sorted(model.images)])


def distances(points):
    rows, columns = np.triu_indices(len(points), 1)
    return np.linalg.norm(points[rows] - points[columns], axis=1)
