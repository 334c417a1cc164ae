"""The light splat: sizes, orientation, colours, subset."""

import numpy as np
import pytest

from ds3d_pipeline.geometry.transforms import rotation_from_quat_wxyz
from ds3d_pipeline.scene import PointCloud
from ds3d_pipeline.splats.light import SH_C0, light_splat, neighbour_radius, quats_from_z_axis


def grid_cloud(side: int = 20, spacing: float = 0.1) -> PointCloud:
    xy = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2) * spacing
    points = np.concatenate([xy, np.zeros((len(xy), 1))], axis=1).astype(np.float32)
    normals = np.tile(np.array((0, 0, -1), np.float32), (len(points), 1))
    colors = np.random.default_rng(0).integers(0, 256, points.shape).astype(np.uint8)
    return PointCloud(points_in_world=points, normals=normals, colors=colors)


def test_a_grid_becomes_flat_discs_of_its_spacing():
    splat = light_splat(grid_cloud(), max_gaussians=10_000)
    scales = np.exp(splat.log_scales)
    np.testing.assert_allclose(np.median(scales[:, :2]), 0.1, rtol=1e-3)
    assert (scales[:, 2] < 0.2 * scales[:, 0]).all()


def test_the_thin_axis_lies_along_the_normal():
    normals = np.random.default_rng(0).normal(size=(200, 3))
    normals[:2] = (0, 0, 1), (0, 0, -1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    quats = quats_from_z_axis(normals.astype(np.float32))
    np.testing.assert_allclose(rotation_from_quat_wxyz(quats)[:, :, 2], normals, atol=1e-5)


def test_points_without_a_normal_become_balls():
    cloud = grid_cloud()
    cloud = PointCloud(
        points_in_world=cloud.points_in_world, normals=np.zeros_like(cloud.normals), colors=cloud.colors
    )
    log_scales = light_splat(cloud, max_gaussians=10_000).log_scales
    np.testing.assert_array_equal(log_scales[:, 0], log_scales[:, 2])


def test_colours_survive():
    cloud = grid_cloud()
    splat = light_splat(cloud, max_gaussians=10_000)
    rendered = 0.5 + SH_C0 * splat.sh_coeffs[:, 0]
    np.testing.assert_allclose(rendered * 255, cloud.colors, atol=1e-3)


def test_the_subset_keeps_the_budget_and_repeats_with_the_seed():
    first, again, other = (light_splat(grid_cloud(), max_gaussians=50, seed=s).means for s in (1, 1, 2))
    assert len(first) == 50
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_outlier_and_duplicates_stay_bounded():
    points = np.concatenate([grid_cloud().points_in_world, np.array([[1000, 0, 0]] + [[5, 5, 5]] * 9)])
    points = points.astype(np.float32)
    radius = neighbour_radius(points)
    assert radius.max() <= 0.51
    assert radius.min() >= 0.0099


def test_one_point_is_enough_and_none_is_refused():
    one = PointCloud(
        points_in_world=np.zeros((1, 3), np.float32),
        normals=np.zeros((1, 3), np.float32),
        colors=np.zeros((1, 3), np.uint8),
    )
    assert len(light_splat(one, max_gaussians=5).means) == 1
    empty = PointCloud(
        points_in_world=one.points_in_world[:0], normals=one.normals[:0], colors=one.colors[:0]
    )
    with pytest.raises(ValueError, match="at least one point"):
        light_splat(empty, max_gaussians=5)
