import numpy as np
import pytest

from ds3d_pipeline.pointcloud.cleaning import thinned, without_outliers
from ds3d_pipeline_tests.mesh.shapes import cloud_of, sphere_cloud

CAMERAS = np.array([[0.0, 0, -4], [4, 0, 0], [0, 0, 4], [-4, 0, 0]])


def test_isolated_points_are_dropped_and_the_surface_stays():
    sphere = sphere_cloud(5000, noise=0.005)
    isolated = np.random.default_rng(0).uniform(1.3, 3, (40, 3))
    together = np.concatenate([sphere.points_in_world, isolated])
    cloud = without_outliers(cloud_of(together, 0 * together, 0 * together), CAMERAS)
    radius = np.linalg.norm(cloud.points_in_world, axis=1)
    assert (radius > 1.2).sum() <= 2
    assert (radius < 1.2).sum() > 4950


def test_a_far_wall_sampled_thinly_is_no_outlier():
    near = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 3)) * [1, 1, 0] + [0, 0, 1]
    far = np.random.default_rng(1).uniform(-5, 5, (4000, 3)) * [1, 1, 0] + [0, 0, 10]
    together = np.concatenate([near, far])
    cloud = without_outliers(cloud_of(together, 0 * together, 0 * together), np.zeros((1, 3)))
    assert len(cloud.points_in_world) > 7800


@pytest.mark.parametrize("most", [100, 2000, 4999])
def test_thinning_is_even_and_repeatable(most):
    sphere = sphere_cloud(5000)
    once, twice = thinned(sphere, most), thinned(sphere, most)
    np.testing.assert_array_equal(once.points_in_world, twice.points_in_world)
    assert most / 3 < len(once.points_in_world) <= most
    assert np.linalg.norm(once.points_in_world.mean(axis=0)) < 0.1


def test_a_cloud_within_bounds_is_left_alone():
    sphere = sphere_cloud(500)
    assert thinned(sphere, 500) is sphere
