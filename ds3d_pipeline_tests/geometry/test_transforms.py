"""Rotations and rigid transforms against scipy and against their own definitions."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ds3d_pipeline.geometry import transforms

SEEDS = range(20)


def random_rotations(seed, count=50):
    return Rotation.random(count, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_rotation_from_quaternion_agrees_with_scipy_for_any_length(seed):
    expected = random_rotations(seed)
    quat_wxyz = 3.7 * np.roll(expected.as_quat(), 1, axis=1)
    np.testing.assert_allclose(
        transforms.rotation_from_quat_wxyz(quat_wxyz), expected.as_matrix(), atol=1e-14
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_quaternion_round_trip_is_unit_and_has_no_negative_scalar(seed):
    matrices = random_rotations(seed).as_matrix()
    quat_wxyz = transforms.quat_wxyz_from_rotation(matrices)
    assert np.all(quat_wxyz[:, 0] >= 0)
    np.testing.assert_allclose(np.linalg.norm(quat_wxyz, axis=1), 1, atol=1e-15)
    np.testing.assert_allclose(transforms.rotation_from_quat_wxyz(quat_wxyz), matrices, atol=1e-14)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -2, 3)])
@pytest.mark.parametrize("angle_deg", [0, 1e-9, 1e-4, 90, 179.9999, 180])
def test_angles_keep_their_digits_near_zero_and_half_turns(axis, angle_deg):
    rotation = transforms.rotation_from_axis_angle_deg(axis, angle_deg)
    assert transforms.rotation_angle_deg(rotation) == pytest.approx(angle_deg, rel=1e-9, abs=1e-12)
    round_trip = transforms.rotation_from_quat_wxyz(transforms.quat_wxyz_from_rotation(rotation))
    np.testing.assert_allclose(round_trip, rotation, atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_axis_angle_agrees_with_scipy(seed):
    random = np.random.default_rng(seed)
    axis, angle_deg = random.normal(size=3), random.uniform(-180, 180)
    expected = Rotation.from_rotvec(np.radians(angle_deg) * axis / np.linalg.norm(axis)).as_matrix()
    actual = transforms.rotation_from_axis_angle_deg(axis, angle_deg)
    np.testing.assert_allclose(actual, expected, atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_inverse_undoes_the_transform(seed):
    random = np.random.default_rng(seed)
    b_from_a = transforms.rigid(random_rotations(seed, 1).as_matrix()[0], random.normal(size=3))
    points_in_a = random.normal(size=(7, 5, 3))
    points_in_b = transforms.transform_points(b_from_a, points_in_a)
    back = transforms.transform_points(transforms.invert_rigid(b_from_a), points_in_b)
    np.testing.assert_allclose(back, points_in_a, atol=1e-13)
    np.testing.assert_allclose(points_in_b[2, 3], b_from_a[:3, :3] @ points_in_a[2, 3] + b_from_a[:3, 3])


def test_rigid_and_its_inverse_take_stacks():
    random = np.random.default_rng(0)
    stack = transforms.rigid(random_rotations(0, 4).as_matrix(), random.normal(size=(4, 3)))
    products = stack @ transforms.invert_rigid(stack)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(4), (4, 4, 4)), atol=1e-14)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (transforms.rotation_from_quat_wxyz, [np.zeros(3)]),
        (transforms.rotation_from_quat_wxyz, [np.zeros(4)]),
        (transforms.rotation_from_quat_wxyz, [np.full(4, np.nan)]),
        (transforms.quat_wxyz_from_rotation, [np.eye(4)]),
        (transforms.rigid, [np.eye(3), np.zeros(2)]),
        (transforms.invert_rigid, [np.eye(3)]),
        (transforms.transform_points, [np.eye(4), np.zeros((5, 2))]),
        (transforms.rotation_angle_deg, [np.zeros(3)]),
    ],
)
def test_wrong_shapes_are_refused(function, arguments):
    with pytest.raises(ValueError, match=r"."):
        function(*arguments)
