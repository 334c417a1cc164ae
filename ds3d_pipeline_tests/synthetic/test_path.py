"""The camera path: looks at its target, upright, smooth, decided by its seed."""

import numpy as np
import pytest

from ds3d_pipeline.geometry.transforms import rotation_angle_deg, transform_points
from ds3d_pipeline.synthetic.options import PathOptions
from ds3d_pipeline.synthetic.path import look_at_rotation, make_path

TARGET = np.array([0.1, -0.3, 0.4])


def poses(options, count=60):
    path = make_path(options, TARGET)
    return np.array([path.cam_from_world(time) for time in np.linspace(0, 1, count)])


def centres(cam_from_world):
    return np.array([-pose[:3, :3].T @ pose[:3, 3] for pose in cam_from_world])


def test_without_wobble_the_target_is_on_the_axis_and_the_camera_upright():
    for pose in poses(PathOptions(jitter_m=0, jitter_deg=0)):
        target_in_cam = transform_points(pose, TARGET)
        np.testing.assert_allclose(target_in_cam[:2], 0, atol=1e-12)
        assert target_in_cam[2] > 1
        assert pose[0, 1] == pytest.approx(0, abs=1e-12)
        assert pose[1, 1] > 0.5


def test_the_arc_has_its_angle_radius_and_height():
    options = PathOptions(arc_deg=90, radius_m=2, height_m=1, jitter_m=0, jitter_deg=0)
    places = centres(poses(options))
    level = places[:, [0, 2]] - TARGET[[0, 2]]
    np.testing.assert_allclose(np.linalg.norm(level, axis=1), 2)
    cosine = level[0] @ level[-1] / 4
    assert np.degrees(np.arccos(cosine)) == pytest.approx(90)
    assert -places[:, 1].mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_wobble_is_bounded_smooth_and_seeded(seed):
    options = PathOptions(seed=seed)
    shaken, calm = poses(options), poses(PathOptions(seed=seed, jitter_m=0, jitter_deg=0))
    shift = np.abs(centres(shaken) - centres(calm))
    assert 0 < shift.max() <= options.jitter_m
    step = rotation_angle_deg(shaken[1:, :3, :3] @ np.swapaxes(shaken[:-1, :3, :3], 1, 2))
    assert step.max() < 4
    np.testing.assert_array_equal(shaken, poses(options))
    assert not np.allclose(shaken, poses(PathOptions(seed=seed + 100)))


def test_a_turn_on_the_spot_pans_level_and_does_not_move():
    turned = poses(PathOptions(name="rotation", arc_deg=50))
    np.testing.assert_allclose(centres(turned) - centres(turned)[0], 0, atol=1e-12)
    assert rotation_angle_deg(turned[-1, :3, :3] @ turned[0, :3, :3].T) == pytest.approx(50)
    np.testing.assert_allclose(turned[:, 0, 1], 0, atol=1e-12)
    first, last = (transform_points(pose, TARGET) for pose in (turned[0], turned[-1]))
    assert last[0] < 0 < first[0], "from left to right"


def test_looking_straight_down_is_refused():
    with pytest.raises(ValueError, match="straight"):
        look_at_rotation([0, -2, 0], [0, 0, 0])
