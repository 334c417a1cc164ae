"""The flip between the world and glTF."""

import numpy as np

from ds3d_pipeline.geometry.conventions import (
    GLTF_FROM_WORLD,
    gltf_from_world,
    splat_in_gltf,
    world_from_gltf,
)
from ds3d_pipeline.splats.kernels.parameters import gaussians_from_rows
from ds3d_pipeline.splats.kernels.sh import sh_basis
from ds3d_pipeline_tests.splats.scenes import random_rows


def test_down_in_the_world_is_minus_y_in_gltf():
    np.testing.assert_array_equal(gltf_from_world([0, 1, 0]), [0, -1, 0])


def test_the_flip_is_a_rotation_and_undone_by_its_inverse():
    assert np.linalg.det(GLTF_FROM_WORLD) == 1
    points = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_array_equal(world_from_gltf(gltf_from_world(points)), points)


def test_a_turned_splat_has_the_same_colour_from_a_turned_direction():
    splat = gaussians_from_rows(random_rows(20, 3, 0))
    turned = splat_in_gltf(splat)
    directions = np.random.default_rng(0).normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    before, after = np.zeros((2, 20, 16), np.float32)
    for row, (x, y, z) in enumerate(directions.astype(np.float32)):
        sh_basis(3, x, y, z, before[row])
        sh_basis(3, x, -y, -z, after[row])
    colors = np.einsum("nk,nkc->nc", before, splat.sh_coeffs)
    np.testing.assert_allclose(np.einsum("nk,nkc->nc", after, turned.sh_coeffs), colors, atol=1e-5)
    for name, values in vars(splat_in_gltf(turned)).items():
        np.testing.assert_array_equal(values, getattr(splat, name))
