"""The training loss (1 - w) L1 + w (1 - SSIM) with its gradient, fused over rows of pixels.

SSIM as in Wang et al. (2004): an 11x11 Gaussian window of sigma 1.5, zero beyond the border. The window is
separable and symmetric, so the backward pass is the same blur over three maps of partial derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import prange

from ds3d_pipeline.programs.jit import Array, Scalar, inline, parallel, serial
from ds3d_pipeline.scene import Float32, Float64

f32 = np.float32
_offsets = np.arange(11) - 5
_bell = np.exp(-0.5 * (_offsets / 1.5) ** 2)
WINDOW = tuple(f32(value) for value in _bell / _bell.sum())
RADIUS = 5
_C1, _C2 = f32(0.01**2), f32(0.03**2)
_ZERO, _ONE, _TWO = f32(0), f32(1), f32(2)


def ssim_map(image: Float32, target: Float32) -> Float32:
    """(3, H, W) structural similarity of each pixel of two pictures (3, H, W)."""
    similarity = np.empty_like(image)
    _ssim(image, target, similarity, np.empty((3, *image.shape), np.float32))
    return similarity


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The loss of one picture, its gradient, and the error it is usually reported as."""

    value: float
    grad: Float32
    """(3, H, W) derivative of the loss by the picture."""
    squared_error: float
    """Mean over pixels and channels."""
    by_log_gain: Float64
    """(3,) derivative by the logarithm of a gain on each channel of the picture."""


def loss_and_gradient(image: Float32, target: Float32, dssim_weight: float) -> Loss:
    """The loss of `image` against `target` (3, H, W)."""
    similarity, partials = np.empty_like(image), np.empty((3, *image.shape), np.float32)
    _ssim(image, target, similarity, partials)
    grad, sums = np.empty_like(image), np.empty((image.shape[0] * image.shape[1], 4), np.float64)
    _gradient(image, target, similarity, partials, f32(dssim_weight), grad, sums)
    absolute, alike, squared = sums[:, :3].sum(axis=0) / image.size
    value = (1 - dssim_weight) * absolute + dssim_weight * (1 - alike)
    by_log_gain = sums[:, 3].reshape(image.shape[:2]).sum(axis=1)
    return Loss(value=float(value), grad=grad, squared_error=float(squared), by_log_gain=by_log_gain)


@serial
def _add_row(columns: Array, image: Array, target: Array, weight: Scalar) -> None:
    """Adds a weighted row of x, y, x^2, y^2 and x y to `columns` (5, W + 10).

    columns: float32, added to. image, target: (W,) float32, one row each. weight: of the window.
    """
    for x in range(image.shape[0]):
        a, b = image[x], target[x]
        columns[0, x + RADIUS] += weight * a
        columns[1, x + RADIUS] += weight * b
        columns[2, x + RADIUS] += weight * (a * a)
        columns[3, x + RADIUS] += weight * (b * b)
        columns[4, x + RADIUS] += weight * (a * b)


@serial
def _add_rows(
    columns: Array, image: Array, target: Array, image2: Array, target2: Array, weight: Scalar
) -> None:
    """Like `_add_row` for the two rows that share a weight: half the traffic to `columns`.

    columns: (5, W + 10) float32, added to. image, target, image2, target2: (W,) float32, one row each.
    """
    for x in range(image.shape[0]):
        a, b, c, d = image[x], target[x], image2[x], target2[x]
        columns[0, x + RADIUS] += weight * (a + c)
        columns[1, x + RADIUS] += weight * (b + d)
        columns[2, x + RADIUS] += weight * (a * a + c * c)
        columns[3, x + RADIUS] += weight * (b * b + d * d)
        columns[4, x + RADIUS] += weight * (a * b + c * d)


@inline
def _across(columns: Array, q: int, x: int) -> Scalar:
    """The window along row `q` of `columns`, centred on pixel x; written out so that it vectorises over x."""
    return (
        WINDOW[0] * (columns[q, x] + columns[q, x + 10])
        + WINDOW[1] * (columns[q, x + 1] + columns[q, x + 9])
        + WINDOW[2] * (columns[q, x + 2] + columns[q, x + 8])
        + WINDOW[3] * (columns[q, x + 3] + columns[q, x + 7])
        + WINDOW[4] * (columns[q, x + 4] + columns[q, x + 6])
        + WINDOW[5] * columns[q, x + 5]
    )


@parallel
def _ssim(image: Array, target: Array, similarity: Array, partials: Array) -> None:
    """SSIM of every pixel with its derivatives.

    image, target: (3, H, W) float32 in [0, 1]. similarity: (3, H, W) float32, filled.
    partials: (3, 3, H, W) float32, filled: derivatives by E[x], E[x^2] and E[x y], x the image, y the target.
    """
    channels, height, width = image.shape
    for line in prange(channels * height):
        channel, y = line // height, line % height
        images, targets = image[channel], target[channel]
        columns = np.zeros((5, width + 2 * RADIUS), np.float32)
        _add_row(columns, images[y], targets[y], WINDOW[RADIUS])
        for k in range(RADIUS):
            above, below = y - RADIUS + k, y + RADIUS - k
            if above >= 0 and below < height:
                _add_rows(columns, images[above], targets[above], images[below], targets[below], WINDOW[k])
            elif above >= 0:
                _add_row(columns, images[above], targets[above], WINDOW[k])
            elif below < height:
                _add_row(columns, images[below], targets[below], WINDOW[k])
        blurred = np.empty((5, width), np.float32)
        for q in range(5):
            for x in range(width):
                blurred[q, x] = _across(columns, q, x)
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
    """The loss' gradient, and sums over each row of pixels.

    image, target, similarity, partials: as `_ssim` had and filled them. weight: of the SSIM in the loss.
    grad: (3, H, W) float32, filled. sums: (3 H, 4) float64, filled for each row of each channel x with the
    sums of |x - y|, SSIM, (x - y)^2 and gradient times x, y the target.
    """
    channels, height, width = image.shape
    per_pixel = _ONE / f32(channels * height * width)
    for line in prange(channels * height):
        channel, y = line // height, line % height
        columns = np.zeros((3, width + 2 * RADIUS), np.float32)
        for k in range(-RADIUS, RADIUS + 1):
            if y + k < 0 or y + k >= height:
                continue
            w = WINDOW[k + RADIUS]
            for q in range(3):
                for x in range(width):
                    columns[q, x + RADIUS] += w * partials[q, channel, y + k, x]
        blurred = np.empty((3, width), np.float32)
        for q in range(3):
            for x in range(width):
                blurred[q, x] = _across(columns, q, x)
        absolute, alike, squared, along = 0.0, 0.0, 0.0, 0.0
        for x in range(width):
            a, b = image[channel, y, x], target[channel, y, x]
            slope = blurred[0, x] + _TWO * a * blurred[1, x] + b * blurred[2, x]
            sign = _ONE if a > b else (-_ONE if a < b else _ZERO)
            grad[channel, y, x] = per_pixel * ((_ONE - weight) * sign - weight * slope)
            absolute += abs(a - b)
            alike += similarity[channel, y, x]
            squared += (a - b) * (a - b)
            along += grad[channel, y, x] * a
        sums[line, 0], sums[line, 1], sums[line, 2], sums[line, 3] = absolute, alike, squared, along
