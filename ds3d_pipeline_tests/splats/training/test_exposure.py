"""Gains per photo: their gradient, what of them is left to the splat, and what they save."""

from dataclasses import replace

import numpy as np
import pytest

from ds3d_pipeline.splats.kernels.losses import loss_and_gradient
from ds3d_pipeline.splats.training.exposure import Exposure, slow_patterns
from ds3d_pipeline.splats.training.scores import score
from ds3d_pipeline.splats.training.trainer import train
from ds3d_pipeline_tests.splats.training.test_trainer import OPTIONS, orbit, rough, truth

__all__ = ["truth"]


def only_the_mean(photos: int) -> np.ndarray:
    return np.full((photos, 1), photos**-0.5, np.float32)


def left_of(pattern: np.ndarray, slow: np.ndarray) -> float:
    """The share of a pattern's variance that gains may keep."""
    centred = pattern - pattern.mean()
    rest = centred - slow @ (slow.T @ centred)
    return float((rest**2).sum() / (centred**2).sum())


def test_the_gradient_by_the_image_goes_through_the_gain():
    rng, exposure = np.random.default_rng(0), Exposure(only_the_mean(3))
    exposure.log_gains[:] = [[0.1, 0, -0.1], [0, 0, 0], [-0.1, 0, 0.1]]
    image, target = (rng.random((3, 14, 15)).astype(np.float32) for _ in range(2))
    exposed = exposure.applied(0, image)
    np.testing.assert_allclose(exposed[0], image[0] * np.exp(0.1), rtol=1e-6)
    loss = loss_and_gradient(exposed, target, 0.2)
    np.testing.assert_allclose(exposure.learn(0, loss, 0.0)[0], loss.grad[0] * np.exp(0.1), rtol=1e-5)


def test_gains_descend_and_keep_a_zero_mean():
    exposure = Exposure(only_the_mean(2))
    image = np.random.default_rng(0).random((3, 14, 15)).astype(np.float32)
    for _ in range(400):
        for photo, brightness in ((0, 1.2), (1, 1 / 1.2)):
            target = image * np.float32(brightness)
            exposure.learn(photo, loss_and_gradient(exposure.applied(photo, image), target, 0.0), 2e-3)
    np.testing.assert_allclose(exposure.log_gains[0], np.log(1.2), atol=0.01)
    np.testing.assert_allclose(exposure.log_gains.mean(axis=0), 0, atol=1e-6)


@pytest.mark.parametrize("count", [9, 20, 60])
def test_what_drifts_along_the_path_is_slow_and_what_jumps_is_not(truth, count):
    slow = slow_patterns(orbit(count, truth))
    np.testing.assert_allclose(slow.T @ slow, np.eye(slow.shape[1]), atol=1e-5)
    assert 1 < slow.shape[1] < count / 2
    jumps = np.random.default_rng(0).normal(size=(count, 20))
    assert left_of(np.ones(count) + np.arange(count), slow) < 0.15
    assert np.mean([left_of(jump, slow) for jump in jumps.T]) > 0.5


def test_the_order_of_photos_does_not_matter(truth):
    photos = orbit(20, truth)
    order = np.random.default_rng(0).permutation(20)
    slow, shuffled = slow_patterns(photos), slow_patterns([photos[index] for index in order])
    np.testing.assert_allclose(shuffled @ shuffled.T, (slow @ slow.T)[np.ix_(order, order)], atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_photos_and_photos_from_one_place_keep_their_mean(truth, count):
    for photos in (orbit(count, truth), orbit(1, truth) * count):
        slow = slow_patterns(photos)
        np.testing.assert_allclose(slow @ (slow.T @ np.ones(count)), 1, atol=1e-5)


@pytest.mark.slow
def test_a_slow_drift_is_left_to_the_splat(truth):
    photos = orbit(16, truth)
    drift = np.exp(np.linspace(-0.2, 0.2, 16))
    drifting = [
        replace(photo, pixels=np.clip(photo.pixels * gain, 0, 255).astype(np.uint8))
        for photo, gain in zip(photos, drift, strict=True)
    ]
    gains = train(rough(truth), drifting, replace(OPTIONS, iterations=500)).state["exposure_log_gains"]
    assert np.abs(gains).max() < 0.05


@pytest.mark.slow
def test_jumping_exposure_costs_less_with_gains(truth):
    photos = orbit(12, truth)
    training, heldout = [p for i, p in enumerate(photos) if i % 4 != 1], photos[1::4]
    jumps, slow = np.random.default_rng(3).normal(0, 0.2, (len(training), 3)), slow_patterns(training)
    gains = np.exp(jumps - slow @ (slow.T @ jumps))[:, None, None]
    varied = [
        replace(photo, pixels=np.clip(photo.pixels * gain, 0, 255).astype(np.uint8))
        for photo, gain in zip(training, gains, strict=True)
    ]
    options = replace(OPTIONS, iterations=500)
    start = rough(truth)
    with_gains = train(start, varied, options)
    without = train(start, varied, replace(options, exposure=False))
    assert score(with_gains.rows, heldout, 1).psnr_db > score(without.rows, heldout, 1).psnr_db + 1
