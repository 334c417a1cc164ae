"""The pinhole camera and its pixel convention."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ds3d_pipeline.geometry.cameras import K_scaled, intrinsics, project, rays, unproject_depth
from ds3d_pipeline.geometry.transforms import invert_rigid, rigid, transform_points

K = np.array([[50.0, 0, 31.0], [0, 55.0, 25.5], [0, 0, 1]])


def test_a_point_on_the_axis_is_at_the_principal_point():
    uv, depth = project(K, np.eye(4), [[0, 0, 2.0]])
    np.testing.assert_allclose(uv, [[31.0, 25.5]])
    np.testing.assert_allclose(depth, [2.0])


def test_points_right_and_below_move_right_and_down():
    uv, _ = project(K, np.eye(4), [[1.0, 0, 2], [0, 1.0, 2]])
    np.testing.assert_allclose(uv, [[56.0, 25.5], [31.0, 53.0]])


def test_points_behind_the_camera_have_no_pixel():
    uv, depth = project(K, np.eye(4), [[0.1, 0.2, -1.0], [0, 0, 0]])
    assert np.isnan(uv).all()
    np.testing.assert_allclose(depth, [-1, 0])


@pytest.mark.parametrize("seed", range(10))
def test_unprojected_depth_projects_back_to_pixel_centres(seed):
    random = np.random.default_rng(seed)
    depth = random.uniform(0.5, 4, size=(9, 13))
    cam_from_world = rigid(Rotation.random(rng=random).as_matrix(), random.normal(size=3))
    points = transform_points(invert_rigid(cam_from_world), unproject_depth(K, depth))
    uv, z = project(K, cam_from_world, points)
    rows, columns = np.mgrid[:9, :13]
    np.testing.assert_allclose(uv, np.stack([columns + 0.5, rows + 0.5], axis=-1), atol=1e-10)
    np.testing.assert_allclose(z, depth, atol=1e-12)


def test_rays_have_unit_depth_and_the_images_shape():
    directions = rays(K, (62, 51))
    assert directions.shape == (51, 62, 3)
    np.testing.assert_allclose(directions[..., 2], 1)
    np.testing.assert_allclose(directions[25, 30], [-0.5 / 50, 0, 1])


def test_unknown_depth_gives_zero_points():
    assert not unproject_depth(K, np.zeros((3, 4))).any()


def test_scaled_intrinsics_see_the_corners_of_the_image_at_its_corners():
    points = np.random.default_rng(0).normal(loc=(0, 0, 5), size=(20, 3))
    uv, _ = project(K, np.eye(4), points)
    scaled_uv, _ = project(K_scaled(K, (0.5, 0.25)), np.eye(4), points)
    np.testing.assert_allclose(scaled_uv, uv * [0.5, 0.25])
    np.testing.assert_allclose(K_scaled(K, 2), K_scaled(K, (2, 2)))


def test_plain_intrinsics_are_centred():
    np.testing.assert_allclose(intrinsics(500, (640, 480)), [[500, 0, 320], [0, 500, 240], [0, 0, 1]])


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        project(np.eye(4), np.eye(4), np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        unproject_depth(K, np.zeros((2, 2, 1)))
