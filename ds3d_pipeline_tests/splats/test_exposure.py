"""Gains per photo: their gradient, their mean, and what they save when a phone changes exposure."""

from dataclasses import replace

import numpy as np

from ds3d_pipeline.splats.exposure import Exposure
from ds3d_pipeline.splats.losses import loss_and_gradient
from ds3d_pipeline.splats.scores import score
from ds3d_pipeline.splats.train import train
from ds3d_pipeline_tests.splats.test_train import OPTIONS, orbit, rough, truth

__all__ = ["truth"]


def test_the_gradient_by_the_image_goes_through_the_gain():
    rng, exposure = np.random.default_rng(0), Exposure(3)
    exposure.log_gains[:] = [[0.1, 0, -0.1], [0, 0, 0], [-0.1, 0, 0.1]]
    image, target = (rng.random((3, 14, 15)).astype(np.float32) for _ in range(2))
    exposed = exposure.applied(0, image)
    np.testing.assert_allclose(exposed[0], image[0] * np.exp(0.1), rtol=1e-6)
    loss = loss_and_gradient(exposed, target, 0.2)
    np.testing.assert_allclose(exposure.learn(0, loss, 0.0)[0], loss.grad[0] * np.exp(0.1), rtol=1e-5)


def test_gains_descend_and_keep_a_zero_mean():
    exposure, image = Exposure(2), np.random.default_rng(0).random((3, 14, 15)).astype(np.float32)
    for _ in range(400):
        for photo, brightness in ((0, 1.2), (1, 1 / 1.2)):
            target = image * np.float32(brightness)
            exposure.learn(photo, loss_and_gradient(exposure.applied(photo, image), target, 0.0), 2e-3)
    np.testing.assert_allclose(exposure.log_gains[0], np.log(1.2), atol=0.01)
    np.testing.assert_allclose(exposure.log_gains.mean(axis=0), 0, atol=1e-6)


def test_changing_exposure_costs_less_with_gains(truth):
    photos = orbit(12, truth)
    training, heldout = [p for i, p in enumerate(photos) if i % 4 != 1], photos[1::4]
    gains = np.exp(np.random.default_rng(3).normal(0, 0.15, (len(training), 1, 1, 3)))
    gains /= np.exp(np.log(gains).mean(axis=0))
    varied = [
        replace(photo, pixels=np.clip(photo.pixels * gain, 0, 255).astype(np.uint8))
        for photo, gain in zip(training, gains, strict=True)
    ]
    options = replace(OPTIONS, iterations=500)
    start = rough(truth)
    with_gains = train(start, varied, options)
    without = train(start, varied, replace(options, exposure=False))
    assert score(with_gains.rows, heldout, 1).psnr_db > score(without.rows, heldout, 1).psnr_db + 1
