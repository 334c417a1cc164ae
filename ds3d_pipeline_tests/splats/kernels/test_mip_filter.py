"""The 3D smoothing filter: its formula, its gradient, and what it is for."""

import numpy as np
import pytest

from ds3d_pipeline.splats.kernels.mip_filter import filter_variance, filtered, filtered_backward
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT
from ds3d_pipeline_tests.splats.scenes import random_rows
from ds3d_pipeline_tests.splats.training.test_trainer import K, orbit


def twin(rows, variance):
    out = np.array(rows, np.float64)
    own = np.exp(2 * out[:, LOG_SCALE:LOGIT])
    out[:, LOG_SCALE:LOGIT] = 0.5 * np.log(own + variance[:, None])
    kept = np.sqrt((own / (own + variance[:, None])).prod(axis=1))
    opacity = kept / (1 + np.exp(-out[:, LOGIT]))
    out[:, LOGIT] = np.log(opacity / (1 - opacity))
    return out


@pytest.mark.parametrize("seed", range(3))
def test_the_filter_and_its_gradient_agree_with_the_twin(seed):
    rng = np.random.default_rng(seed)
    rows, variance = random_rows(40, 0, seed), rng.uniform(1e-4, 0.05, 40).astype(np.float32)
    out = np.empty_like(rows)
    filtered(rows, variance, out)
    np.testing.assert_allclose(out, twin(rows, variance), rtol=1e-4, atol=1e-4)
    weights = rng.normal(size=rows.shape).astype(np.float32)
    grads = weights.copy()
    filtered_backward(rows, variance, out, grads)
    for column in range(rows.shape[1]):
        step = np.zeros(rows.shape)
        step[:, column] = 1e-6
        difference = twin(rows + step, variance) - twin(rows - step, variance)
        np.testing.assert_allclose(
            grads[:, column], (difference * weights).sum(axis=1) / 2e-6, rtol=2e-3, atol=2e-4
        )


def test_extreme_rows_stay_finite():
    rows = random_rows(6, 0, 0)
    rows[:, LOG_SCALE:LOGIT] = np.array([-60, -20, -5, 0, 5, 20], np.float32)[:, None]
    rows[:, LOGIT] = 25
    out, grads = np.empty_like(rows), np.ones_like(rows)
    filtered(rows, np.full(6, 1e-6, np.float32), out)
    filtered_backward(rows, np.full(6, 1e-6, np.float32), out, grads)
    assert np.isfinite(out[1:]).all()
    assert np.isfinite(grads).all()


def test_the_photo_that_shows_a_gaussian_largest_decides():
    photos = orbit(3, random_rows(5, 0, 0))
    means = np.array([[0, 0, 0], [0, 0, -1.5], [0, 900, 0]], np.float32)
    variance = filter_variance(means, photos)
    nearest = min((photo.cam_from_world[2] @ [0, 0, -1.5, 1]) for photo in photos)
    assert variance[0] == pytest.approx(0.2 * (3 / K[0, 0]) ** 2, rel=1e-4)
    assert variance[1] == pytest.approx(0.2 * (nearest / K[0, 0]) ** 2, rel=1e-4)
    assert variance[2] == variance[:2].max()
