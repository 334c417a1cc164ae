"""The loss and SSIM against the plain twin."""

import numpy as np
import pytest

from ds3d_pipeline.splats.kernels import reference
from ds3d_pipeline.splats.kernels.losses import loss_and_gradient, ssim_map


def pair(seed, shape=(3, 29, 41), noise=0.1):
    rng = np.random.default_rng(seed)
    target = rng.random(shape).astype(np.float32)
    image = np.clip(target + rng.normal(0, noise, shape), 0, 1).astype(np.float32)
    return image, target


@pytest.mark.parametrize("shape", [(3, 29, 41), (3, 11, 11), (3, 4, 60), (3, 1, 1)])
def test_ssim_agrees_with_the_twin(shape):
    image, target = pair(0, shape)
    np.testing.assert_allclose(ssim_map(image, target), reference.ssim(image, target), atol=1e-4)


def test_ssim_of_a_picture_with_itself_is_one():
    image, _ = pair(1)
    np.testing.assert_allclose(ssim_map(image, image), 1, atol=1e-5)


def twin_loss(image, target, weight):
    return (1 - weight) * np.abs(image - target).mean() + weight * (1 - reference.ssim(image, target).mean())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_loss_and_gradient_agree_with_the_twin(seed, weight):
    image, target = pair(seed)
    loss = loss_and_gradient(image, target, weight)
    grad = loss.grad
    assert loss.squared_error == pytest.approx(np.mean((image.astype(float) - target) ** 2), rel=1e-5)
    assert loss.value == pytest.approx(twin_loss(image.astype(float), target, weight), abs=1e-5)
    np.testing.assert_allclose(loss.by_log_gain, (grad * image).sum(axis=(1, 2), dtype=float), atol=1e-5)
    direction = np.abs(np.random.default_rng(seed).normal(size=image.shape)) * np.sign(grad)
    step = 1e-7
    up = twin_loss(image + step * direction, target, weight)
    down = twin_loss(image - step * direction, target, weight)
    assert (grad * direction).sum() == pytest.approx((up - down) / (2 * step), rel=2e-3)
