"""Transforms, cameras and alignment: what holds for any of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ds3d_pipeline.geometry.alignment import Sim3, align_sim3
from ds3d_pipeline.geometry.cameras import K_scaled, intrinsics, project, rays, unproject_depth
from ds3d_pipeline.geometry.conventions import gltf_from_world, world_from_gltf
from ds3d_pipeline.geometry.transforms import (
    invert_rigid,
    quat_wxyz_from_rotation,
    rotation_angle_deg,
    rotation_from_axis_angle_deg,
    rotation_from_quat_wxyz,
    transform_points,
)
from ds3d_pipeline_tests.properties.strategies import (
    floats,
    points,
    quats_wxyz,
    rigids,
    rotations,
    seeds,
    translations,
)

sizes_wh = st.tuples(st.integers(2, 40), st.integers(2, 40))
cameras = st.builds(intrinsics, floats(10, 5000), sizes_wh)
sim3s = st.builds(lambda scale, R, t: Sim3(scale=scale, R=R, t=t), floats(1e-2, 1e2), rotations, translations)


def close(found, expected, scale=1.0):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * max(scale, 1.0))


@given(quats_wxyz)
def test_rotations_are_orthogonal_and_keep_handedness(quat):
    R = rotation_from_quat_wxyz(quat)
    close(R @ R.T, np.eye(3))
    close(np.linalg.det(R), 1)


@given(quats_wxyz)
def test_a_quaternion_comes_back_up_to_its_sign_and_length(quat):
    back = quat_wxyz_from_rotation(rotation_from_quat_wxyz(quat))
    assert back[0] >= 0
    close(np.linalg.norm(back), 1)
    close(abs(back @ quat) / np.linalg.norm(quat), 1)


@given(quats_wxyz, floats(0.01, 100))
def test_sign_and_length_of_a_quaternion_mean_nothing(quat, length):
    close(rotation_from_quat_wxyz(-length * quat), rotation_from_quat_wxyz(quat))


@given(rotations)
def test_a_rotation_comes_back_from_its_quaternion(R):
    close(rotation_from_quat_wxyz(quat_wxyz_from_rotation(R)), R)


@given(quats_wxyz.map(lambda q: q[:3]).filter(lambda a: np.linalg.norm(a) > 1e-3), floats(0, 180))
def test_the_angle_of_a_turn_is_found_again(axis, angle_deg):
    assert abs(rotation_angle_deg(rotation_from_axis_angle_deg(axis, angle_deg)) - angle_deg) < 1e-6


@given(rigids, points)
def test_the_inverse_of_a_transform_undoes_it(transform, around):
    close(transform_points(invert_rigid(transform), transform_points(transform, around)), around, 1e3)
    close(invert_rigid(invert_rigid(transform)), transform, 1e2)


@given(rigids, rigids, points)
def test_transforms_compose_as_matrices_do(second, first, around):
    one_by_one = transform_points(second, transform_points(first, around))
    close(transform_points(second @ first, around), one_by_one, 1e3)


@given(rigids, points)
def test_transforms_keep_distances(transform, around):
    moved = transform_points(transform, around)
    close(np.linalg.norm(moved - moved[0], axis=1), np.linalg.norm(around - around[0], axis=1), 1e3)


@given(points)
def test_gltfs_axes_and_back(around):
    np.testing.assert_array_equal(world_from_gltf(gltf_from_world(around)), around)


@given(sim3s, points)
def test_the_inverse_of_a_similarity_undoes_it(sim3, around):
    close(sim3.inverse().apply(sim3.apply(around)), around, 1e5)


@given(sim3s, rigids, points)
def test_a_camera_sees_the_same_after_a_similarity_but_for_scale(sim3, cam_from_source, around):
    before = transform_points(cam_from_source, around)
    after = transform_points(sim3.cam_from_target(cam_from_source), sim3.apply(around))
    close(after, sim3.scale * before, 1e6)


@given(sim3s, seeds)
def test_umeyama_recovers_any_similarity(sim3, seed):
    source = np.random.default_rng(seed).normal(size=(10, 3))
    found = align_sim3(source, sim3.apply(source))
    assert abs(found.scale / sim3.scale - 1) < 1e-8
    np.testing.assert_allclose(found.R, sim3.R, atol=1e-7)
    np.testing.assert_allclose(found.t, sim3.t, atol=1e-6)


@given(seeds)
def test_umeyama_never_mirrors(seed):
    random = np.random.default_rng(seed)
    found = align_sim3(random.normal(size=(8, 3)), random.normal(size=(8, 3)))
    close(np.linalg.det(found.R), 1)


@given(cameras, sizes_wh, floats(0.1, 1e3))
def test_a_point_on_a_pixels_ray_is_seen_at_that_pixels_centre(K, size_wh, depth):
    width, height = size_wh
    uv, z = project(K, np.eye(4), unproject_depth(K, np.full((height, width), depth)))
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    np.testing.assert_allclose(uv, np.stack([u, v], axis=-1), atol=1e-6)
    np.testing.assert_allclose(z, depth)


@given(cameras, floats(0.1, 10), floats(0.1, 10), points)
def test_pixels_of_a_resized_image_are_resized_pixels(K, scale_x, scale_y, around):
    in_front = np.abs(around) + np.array([0, 0, 1])
    uv, _ = project(K, np.eye(4), in_front)
    resized, _ = project(K_scaled(K, (scale_x, scale_y)), np.eye(4), in_front)
    np.testing.assert_allclose(resized, uv * [scale_x, scale_y], rtol=1e-9)


@given(cameras, sizes_wh)
def test_rays_have_depth_one(K, size_wh):
    assert (rays(K, size_wh)[..., 2] == 1).all()
