"""Projection and harmonics kernel by kernel against the plain twins."""

import numpy as np
import pytest

from ds3d_pipeline.splats.kernels import reference
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, SH
from ds3d_pipeline.splats.kernels.projection import (
    CONIC_A,
    CONIC_B,
    CONIC_C,
    DEPTH,
    HALF_WIDTH,
    MEAN_X,
    MEAN_Y,
    OPACITY,
    PROJECTED_SIZE,
    RED,
    project,
)
from ds3d_pipeline.splats.kernels.sh import sh_basis, sh_basis_gradient
from ds3d_pipeline_tests.splats.scenes import camera, random_rows


def project_rows(rows, cam, degree=0):
    projected = np.empty((len(rows), PROJECTED_SIZE), np.float32)
    project(rows, cam, degree, projected)
    return projected


@pytest.mark.parametrize("seed", range(6))
def test_means_conics_and_colors_agree_with_the_twin(seed):
    degree = seed % 4
    rows, cam = random_rows(200, degree, seed), camera(seed=seed)
    projected = project_rows(rows, cam, degree)
    seen = projected[:, HALF_WIDTH] > 0
    means, covariances, depths = reference.project(rows.astype(float), cam.astype(float))
    np.testing.assert_allclose(projected[seen][:, [MEAN_X, MEAN_Y]], means[seen], atol=1e-3)
    np.testing.assert_allclose(projected[seen, DEPTH], depths[seen], rtol=1e-5)
    conics = np.linalg.inv(covariances[seen])
    found = projected[seen][:, [CONIC_A, CONIC_B, CONIC_C]]
    scale = np.abs(found).max(axis=1, keepdims=True)
    np.testing.assert_allclose(found / scale, conics[:, [0, 0, 1], [0, 1, 1]] / scale, atol=2e-3)
    np.testing.assert_allclose(projected[seen, OPACITY], 1 / (1 + np.exp(-rows[seen, LOGIT])), rtol=1e-5)
    directions = rows[seen, :3] - cam[18:21]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    colors = reference.sh_colors(rows[seen, SH:].reshape(seen.sum(), -1, 3), directions)
    np.testing.assert_allclose(projected[seen][:, RED : RED + 3], colors, atol=1e-4)


def test_what_lies_behind_or_beside_or_is_transparent_is_not_seen():
    rows, cam = random_rows(4, 0, 0), camera()
    rows[:, LOG_SCALE:LOGIT] = -4
    rows[:, :3] = 0
    rows[0, :3] -= 10 * cam[6:9]
    rows[1, :3] += 100 * cam[0:3]
    rows[2, LOGIT] = np.log(1 / 254.5)
    rows[3, LOGIT] = np.log(1 / 250)
    assert (project_rows(rows, cam)[:, HALF_WIDTH] > 0).tolist() == [False, False, False, True]


@pytest.mark.parametrize("log_scale", [-50.0, 40.0, np.nan])
def test_degenerate_scales_give_finite_values_or_are_left_out(log_scale):
    rows, cam = random_rows(10, 0, 0), camera()
    rows[:, LOG_SCALE] = log_scale
    projected = project_rows(rows, cam)
    assert np.isfinite(projected[projected[:, HALF_WIDTH] > 0]).all()


@pytest.mark.parametrize("degree", range(4))
def test_the_basis_and_its_gradient_agree_with_the_twin(degree):
    rng, count = np.random.default_rng(degree), (degree + 1) ** 2
    for direction in rng.normal(size=(20, 3)):
        direction /= np.linalg.norm(direction)
        basis, gradient = np.zeros(16, np.float32), np.zeros((16, 3), np.float32)
        sh_basis(degree, *direction.astype(np.float32), basis)
        sh_basis_gradient(degree, *direction.astype(np.float32), gradient)

        def values(at):
            coeffs = np.eye(count)[:, :, None].repeat(3, axis=2) / 10
            return (reference.sh_colors(coeffs, np.tile(at, (count, 1)))[:, 0] - 0.5) * 10

        np.testing.assert_allclose(basis[:count], values(direction), atol=1e-5)
        # Only along the sphere: off it the twin's formulas and the kernel's may differ.
        tangent = np.cross(direction, rng.normal(size=3))
        slope = (values(direction + 1e-6 * tangent) - values(direction - 1e-6 * tangent)) / 2e-6
        np.testing.assert_allclose(gradient[:count] @ tangent, slope, atol=1e-3)
