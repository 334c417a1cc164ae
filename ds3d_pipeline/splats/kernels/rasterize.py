"""Front-to-back alpha compositing of projected Gaussians, tile by tile, and its backward pass.

The pixels of a tile are the inner loop and contiguous in float32, masks replace branches and exp is
a polynomial, so that the compiler vectorises everything. (Loops run over all rows of a tile and skip: for
all the compiler knows, a loop from a computed start might hold negative indices, which would cost it the
vectors.) No two threads write the same place: gradients come per pair (tile, Gaussian) and are summed per
Gaussian afterwards, in a fixed order.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ds3d_pipeline.programs.jit import Array, Scalar, inline, parallel
from ds3d_pipeline.splats.kernels.projection import (
    BLUE,
    CONIC_A,
    CONIC_B,
    CONIC_C,
    GREEN,
    HALF_HEIGHT,
    HALF_WIDTH,
    MEAN_X,
    MEAN_Y,
    MIN_ALPHA,
    OPACITY,
    RED,
)
from ds3d_pipeline.splats.kernels.tiles import TILE

f32 = np.float32
ZERO, HALF, ONE = f32(0), f32(0.5), f32(1)
MAX_ALPHA = f32(0.99)
LOWEST_POWER = f32(-5.6)
"""exp(-5.6) is under 1/255, so nothing below is ever drawn."""
OPAQUE = f32(1e-4)
"""A tile is finished when no pixel has a larger transmittance than this."""
PAIR_GRADIENTS = 9
SLACK = f32(0.01)
"""Pixels by which the rows that an ellipse touches are widened against rounding."""
_CHECK_EVERY = 8
_CHUNK = 256


@inline
def _exp(x: Scalar) -> Scalar:
    """exp on [-5.6, 0] as the eighth power of a minimax polynomial of degree 4; relative error 3e-5.

    x: the power.
    """
    y = x * f32(0.125)
    p = ONE + y * (f32(0.999874672) + y * (f32(0.498352515) + y * (f32(0.159695098) + y * f32(0.029495277))))
    p = p * p
    p = p * p
    return p * p


@inline
def _edge(a: Scalar, b: Scalar, c: Scalar, level: Scalar, x: Scalar, side: Scalar) -> Scalar:
    """y on the lower (-1) or upper (1) half of the ellipse a x^2 + 2 b x y + c y^2 = level.

    a, b, c: the conic, 1 / px^2. level: without a unit. x: from the centre, pixels. side: -1 or 1.
    """
    return (-b * x + side * np.sqrt(max(c * level - (a * c - b * b) * x * x, ZERO))) / c


@inline
def _touched_rows(
    a: Scalar, b: Scalar, c: Scalar, rx: Scalar, ry: Scalar, dx0: Scalar, dy0: Scalar
) -> tuple[int, int]:
    """First row of the tile's pixels, and the one past the last, that meet the Gaussian's ellipse.

    Of the strip of the tile's columns only: a slanted ellipse may cross few of its own rows there.

    a, b, c: the conic, 1 / px^2. rx, ry: half sizes of the ellipse, pixels. dx0, dy0: the tile's first pixel
    from the centre, pixels.
    """
    level = ry * ry * (a * c - b * b) / a
    left, right = max(dx0, -rx), min(dx0 + f32(TILE - 1), rx)
    # The topmost point of the ellipse is at x = -b ry / a; within the strip, nearest to that.
    low = _edge(a, b, c, level, min(max(b * ry / a, left), right), -ONE)
    high = _edge(a, b, c, level, min(max(-b * ry / a, left), right), ONE)
    first = max(0, int(np.ceil(low - dy0 - SLACK)))
    last = min(TILE, int(np.floor(high - dy0 + SLACK)) + 1)
    return first, last


@parallel
def rasterize(
    projected: Array,
    ids: Array,
    starts: Array,
    tiles_w: int,
    background: Array,
    image: Array,
    transmittance: Array,
    ends: Array,
) -> None:
    """Draws the Gaussians of every tile front to back.

    projected: (N, 12) float32, projected Gaussians, see `projection`. ids: (P,) int32, Gaussian of each pair.
    starts: (tiles + 1,) int32, where each tile's pairs begin. tiles_w: tiles in a row.
    background: (3,) float32, RGB behind everything. image: (3, H, W) float32, filled.
    transmittance: (H, W) float32, filled with the transmittance to the background.
    ends: (tiles,) int32, filled with the pair at which each tile was finished.
    """
    height, width = transmittance.shape
    back_red, back_green, back_blue = background[0], background[1], background[2]
    for tile in prange(starts.shape[0] - 1):
        top, left = (tile // tiles_w) * TILE, (tile % tiles_w) * TILE
        T = np.ones(TILE * TILE, np.float32)
        R, G, B = (
            np.zeros(TILE * TILE, np.float32),
            np.zeros(TILE * TILE, np.float32),
            np.zeros(TILE * TILE, np.float32),
        )
        end = starts[tile]
        for pair in range(starts[tile], starts[tile + 1]):
            g = ids[pair]
            a, b, c, opacity = (
                projected[g, CONIC_A],
                projected[g, CONIC_B],
                projected[g, CONIC_C],
                projected[g, OPACITY],
            )
            red, green, blue = projected[g, RED], projected[g, GREEN], projected[g, BLUE]
            dx0 = f32(left) + HALF - projected[g, MEAN_X]
            dy0 = f32(top) + HALF - projected[g, MEAN_Y]
            first, last = _touched_rows(
                a, b, c, projected[g, HALF_WIDTH], projected[g, HALF_HEIGHT], dx0, dy0
            )
            for j in range(TILE):
                if j < first or j >= last:
                    continue
                dy = dy0 + f32(j)
                constant, linear = HALF * c * dy * dy, b * dy
                for i in range(TILE):
                    dx = dx0 + f32(i)
                    power = max(-(HALF * a * dx + linear) * dx - constant, LOWEST_POWER)
                    alpha = min(opacity * _exp(power), MAX_ALPHA)
                    alpha = alpha if alpha >= MIN_ALPHA else ZERO
                    pixel = j * TILE + i
                    weight = alpha * T[pixel]
                    R[pixel] += weight * red
                    G[pixel] += weight * green
                    B[pixel] += weight * blue
                    T[pixel] -= weight
            end = pair + 1
            if end % _CHECK_EVERY == 0:
                lightest = ZERO
                for pixel in range(TILE * TILE):
                    lightest = max(lightest, T[pixel])
                if lightest < OPAQUE:
                    break
        ends[tile] = end
        for j in range(min(TILE, height - top)):
            for i in range(min(TILE, width - left)):
                pixel = j * TILE + i
                image[0, top + j, left + i] = R[pixel] + T[pixel] * back_red
                image[1, top + j, left + i] = G[pixel] + T[pixel] * back_green
                image[2, top + j, left + i] = B[pixel] + T[pixel] * back_blue
                transmittance[top + j, left + i] = T[pixel]


@parallel
def rasterize_backward(
    projected: Array,
    ids: Array,
    starts: Array,
    tiles_w: int,
    transmittance: Array,
    ends: Array,
    image_grad: Array,
    background_light: Array,
    pair_grads: Array,
) -> None:
    """The loss' derivatives by every pair (tile, Gaussian); those that were not drawn become zero.

    projected, ids, starts, tiles_w: as `rasterize` had them. transmittance, ends: as it filled them.
    image_grad: (3, H, W) float32, derivative by the drawn image.
    background_light: (H, W) float32, its product with the light that the background adds. (That is formed
    outside: in here its rounding would depend on the arrays' addresses.)
    pair_grads: (P, 9) float32, filled, derivatives by the columns MEAN_X to BLUE.
    """
    height, width = transmittance.shape
    for tile in prange(starts.shape[0] - 1):
        top, left = (tile // tiles_w) * TILE, (tile % tiles_w) * TILE
        T, behind = np.ones(TILE * TILE, np.float32), np.zeros(TILE * TILE, np.float32)
        dR, dG, dB = (
            np.zeros(TILE * TILE, np.float32),
            np.zeros(TILE * TILE, np.float32),
            np.zeros(TILE * TILE, np.float32),
        )
        sums = np.empty((6, TILE), np.float32)
        for j in range(min(TILE, height - top)):
            for i in range(min(TILE, width - left)):
                pixel = j * TILE + i
                T[pixel] = transmittance[top + j, left + i]
                dR[pixel] = image_grad[0, top + j, left + i]
                dG[pixel] = image_grad[1, top + j, left + i]
                dB[pixel] = image_grad[2, top + j, left + i]
                behind[pixel] = background_light[top + j, left + i]
        for pair in range(ends[tile], starts[tile + 1]):
            pair_grads[pair] = ZERO
        for pair in range(ends[tile] - 1, starts[tile] - 1, -1):
            g = ids[pair]
            a, b, c, opacity = (
                projected[g, CONIC_A],
                projected[g, CONIC_B],
                projected[g, CONIC_C],
                projected[g, OPACITY],
            )
            red, green, blue = projected[g, RED], projected[g, GREEN], projected[g, BLUE]
            dx0 = f32(left) + HALF - projected[g, MEAN_X]
            dy0 = f32(top) + HALF - projected[g, MEAN_Y]
            first, last = _touched_rows(
                a, b, c, projected[g, HALF_WIDTH], projected[g, HALF_HEIGHT], dx0, dy0
            )
            sums[:] = ZERO
            for j in range(TILE):
                if j < first or j >= last:
                    continue
                dy = dy0 + f32(j)
                constant, linear = HALF * c * dy * dy, b * dy
                for i in range(TILE):
                    pixel = j * TILE + i
                    dx = dx0 + f32(i)
                    power = max(-(HALF * a * dx + linear) * dx - constant, LOWEST_POWER)
                    raw = opacity * _exp(power)
                    alpha = min(raw, MAX_ALPHA)
                    alpha = alpha if alpha >= MIN_ALPHA else ZERO
                    inverse = ONE / (ONE - alpha)
                    before = T[pixel] * inverse
                    weight = alpha * before
                    shade = dR[pixel] * red + dG[pixel] * green + dB[pixel] * blue
                    by_alpha = before * shade - behind[pixel] * inverse
                    by_power = alpha * by_alpha if raw <= MAX_ALPHA else ZERO
                    behind[pixel] += weight * shade
                    T[pixel] = before
                    sums[0, i] += weight * dR[pixel]
                    sums[1, i] += weight * dG[pixel]
                    sums[2, i] += weight * dB[pixel]
                    sums[3, i] += by_power
                    sums[4, i] += by_power * dy
                    sums[5, i] += by_power * dy * dy
            _write_pair(pair_grads[pair], sums, dx0, a, b, c, opacity)


@inline
def _write_pair(
    out: Array, sums: Array, dx0: Scalar, a: Scalar, b: Scalar, c: Scalar, opacity: Scalar
) -> None:
    """Moments over the tile into derivatives; power = -(a dx^2 + c dy^2) / 2 - b dx dy, d = pixel - mean.

    out: (9,) float32, filled. sums: (6, TILE) float32, per column of the tile. dx0: its first column from the
    mean, pixels. a, b, c: the conic, 1 / px^2. opacity: at the centre.
    """
    red, green, blue = ZERO, ZERO, ZERO
    s, sx, sy, sxx, sxy, syy = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    for i in range(TILE):
        dx = dx0 + f32(i)
        red += sums[0, i]
        green += sums[1, i]
        blue += sums[2, i]
        s += sums[3, i]
        sx += sums[3, i] * dx
        sxx += sums[3, i] * dx * dx
        sy += sums[4, i]
        sxy += sums[4, i] * dx
        syy += sums[5, i]
    out[MEAN_X] = a * sx + b * sy
    out[MEAN_Y] = b * sx + c * sy
    out[CONIC_A] = -HALF * sxx
    out[CONIC_B] = -sxy
    out[CONIC_C] = -HALF * syy
    out[OPACITY] = s / opacity
    out[RED], out[GREEN], out[BLUE] = red, green, blue


@parallel
def sum_pairs(
    pair_grads: Array, pair_starts: Array, pair_places: Array, projected_grad: Array, absgrad: Array
) -> None:
    """Each Gaussian's sums over its pairs, always in the same order.

    pair_grads: (P, 9) float32, see `rasterize_backward`. pair_starts: (N + 1,) int32, where each Gaussian's
    part of `pair_places` begins. pair_places: (P,) int32, rows of `pair_grads`.
    projected_grad: (N, 9) float32, filled, derivatives by the columns MEAN_X to BLUE.
    absgrad: (N,) float32, filled with the sum of the lengths of its pairs' gradients by the mean: unlike the
    length of the sum, it does not cancel where a large Gaussian is pulled two ways (AbsGS, Ye et al. 2024).
    """
    count = projected_grad.shape[0]
    for chunk in prange((count + _CHUNK - 1) // _CHUNK):
        for g in range(chunk * _CHUNK, min(count, (chunk + 1) * _CHUNK)):
            projected_grad[g] = ZERO
            absgrad[g] = ZERO
            for index in range(pair_starts[g], pair_starts[g + 1]):
                place = pair_places[index]
                for k in range(PAIR_GRADIENTS):
                    projected_grad[g, k] += pair_grads[place, k]
                absgrad[g] += np.sqrt(pair_grads[place, MEAN_X] ** 2 + pair_grads[place, MEAN_Y] ** 2)
