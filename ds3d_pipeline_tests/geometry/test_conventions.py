"""The flip between the world and glTF."""

import numpy as np

from ds3d_pipeline.geometry.conventions import GLTF_FROM_WORLD, gltf_from_world, world_from_gltf


def test_down_in_the_world_is_minus_y_in_gltf():
    np.testing.assert_array_equal(gltf_from_world([0, 1, 0]), [0, -1, 0])


def test_the_flip_is_a_rotation_and_undone_by_its_inverse():
    assert np.linalg.det(GLTF_FROM_WORLD) == 1
    points = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_array_equal(world_from_gltf(gltf_from_world(points)), points)
