"""The training loss (1 - w) L1 + w (1 - SSIM) with its gradient, fused over rows of pixels.

SSIM as in Wang et al. (2004): an 11x11 Gaussian window of sigma 1.5, zero beyond the border. The window is
separable and symmetric, so the backward pass is the same blur over three maps of partial derivatives.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.jit import Array, Scalar, parallel

f32 = np.float32
_offsets = np.arange(11) - 5
_bell = np.exp(-0.5 * (_offsets / 1.5) ** 2)
WINDOW = tuple(f32(value) for value in _bell / _bell.sum())
REACH = 5
_C1, _C2 = f32(0.01**2), f32(0.03**2)
_ZERO, _ONE, _TWO = f32(0), f32(1), f32(2)


def ssim_map(image: Float32, target: Float32) -> Float32:
    """(3, H, W) structural similarity of each pixel of two pictures (3, H, W)."""
    similarity = np.empty_like(image)
    _ssim(image, target, similarity, np.empty((3, *image.shape), np.float32))
    return similarity


def loss_and_gradient(image: Float32, target: Float32, dssim_weight: float) -> tuple[float, Float32]:
    """The loss of `image` against `target` (3, H, W) and its gradient by `image`."""
    similarity, partials = np.empty_like(image), np.empty((3, *image.shape), np.float32)
    _ssim(image, target, similarity, partials)
    grad, sums = np.empty_like(image), np.empty((image.shape[0] * image.shape[1], 2), np.float64)
    _gradient(image, target, similarity, partials, f32(dssim_weight), grad, sums)
    absolute, alike = sums.sum(axis=0) / image.size
    return float((1 - dssim_weight) * absolute + dssim_weight * (1 - alike)), grad


@parallel
def _ssim(image: Array, target: Array, similarity: Array, partials: Array) -> None:
    """Fills `similarity`, and `partials` with its derivatives by E[x], E[x^2] and E[x y], x the image."""
    channels, height, width = image.shape
    for line in prange(channels * height):
        channel, y = line // height, line % height
        columns = np.zeros((5, width + 2 * REACH), np.float32)
        for k in range(-REACH, REACH + 1):
            if y + k < 0 or y + k >= height:
                continue
            w = WINDOW[k + REACH]
            for x in range(width):
                a, b = image[channel, y + k, x], target[channel, y + k, x]
                columns[0, x + REACH] += w * a
                columns[1, x + REACH] += w * b
                columns[2, x + REACH] += w * a * a
                columns[3, x + REACH] += w * b * b
                columns[4, x + REACH] += w * a * b
        blurred = np.zeros((5, width), np.float32)
        for q in range(5):
            for k in range(2 * REACH + 1):
                w = WINDOW[k]
                for x in range(width):
                    blurred[q, x] += w * columns[q, x + k]
        for x in range(width):
            ma, mb = blurred[0, x], blurred[1, x]
            va, vb, cov = blurred[2, x] - ma * ma, blurred[3, x] - mb * mb, blurred[4, x] - ma * mb
            top_mean, top_cov = _TWO * ma * mb + _C1, _TWO * cov + _C2
            inverse_mean = _ONE / (ma * ma + mb * mb + _C1)
            inverse_var = _ONE / (va + vb + _C2)
            value = top_mean * top_cov * inverse_mean * inverse_var
            both = inverse_mean * inverse_var
            similarity[channel, y, x] = value
            partials[0, channel, y, x] = _TWO * (
                mb * (top_cov - top_mean) * both + ma * value * (inverse_var - inverse_mean)
            )
            partials[1, channel, y, x] = -value * inverse_var
            partials[2, channel, y, x] = _TWO * top_mean * both


@parallel
def _gradient(
    image: Array, target: Array, similarity: Array, partials: Array, weight: Scalar, grad: Array, sums: Array
) -> None:
    """Fills `grad` with the loss' gradient and `sums` (rows, 2) with each row's sums of |x - y| and SSIM."""
    channels, height, width = image.shape
    per_pixel = _ONE / f32(channels * height * width)
    for line in prange(channels * height):
        channel, y = line // height, line % height
        columns = np.zeros((3, width + 2 * REACH), np.float32)
        for k in range(-REACH, REACH + 1):
            if y + k < 0 or y + k >= height:
                continue
            w = WINDOW[k + REACH]
            for q in range(3):
                for x in range(width):
                    columns[q, x + REACH] += w * partials[q, channel, y + k, x]
        blurred = np.zeros((3, width), np.float32)
        for q in range(3):
            for k in range(2 * REACH + 1):
                w = WINDOW[k]
                for x in range(width):
                    blurred[q, x] += w * columns[q, x + k]
        absolute, alike = 0.0, 0.0
        for x in range(width):
            a, b = image[channel, y, x], target[channel, y, x]
            slope = blurred[0, x] + _TWO * a * blurred[1, x] + b * blurred[2, x]
            sign = _ONE if a > b else (-_ONE if a < b else _ZERO)
            grad[channel, y, x] = per_pixel * ((_ONE - weight) * sign - weight * slope)
            absolute += abs(a - b)
            alike += similarity[channel, y, x]
        sums[line, 0], sums[line, 1] = absolute, alike
