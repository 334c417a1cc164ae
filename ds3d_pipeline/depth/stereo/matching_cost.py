"""The matching cost of PatchMatch stereo: bilateral-weighted NCC of a slanted plane, in numba.

A hypothesis is a plane in inverse depth, `w + wx dx + wy dy` over pixel offsets from its pixel, which is
exact for every plane in space. Its warp into a source view is the homography `A + b q^T` of Gallup et al.
(2007); over the few pixels of a patch the kernels use its first-order Taylor expansion at the centre, whose
error stays below 0.02 px. Bilateral weights as in Schönberger et al. (2016).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ds3d_pipeline.programs.jit import ALL, inline, parallel
from ds3d_pipeline.scene import Float32

Scalar = float | np.float32
RADIUS = 2
STRIDE = 2
WIDE_STRIDE = 4
"""Pixels between the samples of a patch, and where there is hardly any texture."""
WEAK_VARIANCE = np.float32(2e-4)
"""Patches of less variance are widened."""
SIDE = 2 * RADIUS + 1
SAMPLES = SIDE * SIDE
COLUMN = np.tile(np.arange(-RADIUS, RADIUS + 1, dtype=np.float32), SIDE)
ROW = np.repeat(np.arange(-RADIUS, RADIUS + 1, dtype=np.float32), SIDE)
"""(25,) place of every sample in the patch, in strides."""
PAD_PX = 12
"""Border that sources are padded with, so that patches may extend a little beyond the photo."""
BAD = np.float32(2.0)
"""The worst cost: 1 - NCC of opposite patches, or no match possible."""
SPATIAL_VARIANCE = np.float32(50.0)
COLOR_VARIANCE = np.float32(0.006)
"""Of what weighs a sample by its likeness to the middle one: much wider, and an outline pulls the plain
background beside it to its own depth; narrower, and too little is left to match."""
NOISE_VARIANCE = np.float32(1.5e-5)
"""Of grey values in [0, 1], about one 8-bit level: fades the correlation out where there is no texture."""
MAX_STRETCH = np.float32(4.0)


@parallel(floats=ALL, counted=False)
def patch_weights(
    image: Float32, weights: Float32, centred: Float32, variance: Float32, strides: Float32
) -> None:
    """Fills, for each pixel of `image` (H, W), what every cost needs of the reference patch.

    weights (H, W, 25): bilateral, sum 1; centred (H, W, 25): weight times grey value above the weighted
    mean; variance (H, W): weighted; strides (H, W): pixels between samples.
    """
    height, width = image.shape
    for y in prange(height):
        for x in range(width):
            strides[y, x] = STRIDE
            variance[y, x] = _weigh(image, x, y, STRIDE, weights[y, x], centred[y, x])
            if variance[y, x] < WEAK_VARIANCE:
                strides[y, x] = WIDE_STRIDE
                variance[y, x] = _weigh(image, x, y, WIDE_STRIDE, weights[y, x], centred[y, x])


@inline
def _weigh(image: Float32, x: int, y: int, stride: int, weights: Float32, centred: Float32) -> np.float32:
    """Fills weights (25,) and centred (25,) of one patch and returns its variance.

    image: (H, W) float32, grey in [0, 1]. x, y: the pixel. stride: pixels between samples.
    """
    height, width = image.shape
    spread_px2 = SPATIAL_VARIANCE * np.float32(stride * stride) / np.float32(STRIDE * STRIDE)
    total = np.float32(0)
    mean = np.float32(0)
    for k in range(SAMPLES):
        j, i = stride * (k // SIDE - RADIUS), stride * (k % SIDE - RADIUS)
        value = image[min(max(y + j, 0), height - 1), min(max(x + i, 0), width - 1)]
        change = value - image[y, x]
        weight = np.exp(-np.float32(i * i + j * j) / spread_px2 - change * change / COLOR_VARIANCE)
        weights[k] = weight
        centred[k] = value
        total += weight
        mean += weight * value
    mean /= total
    spread = np.float32(0)
    for k in range(SAMPLES):
        above = centred[k] - mean
        weights[k] /= total
        centred[k] = weights[k] * above
        spread += centred[k] * above
    return spread


@inline
def view_cost(
    weights: Float32, centred: Float32, variance: Float32, strides: Float32,
    source: Float32, size_wh: Float32, warp: Float32, x: int, y: int, w: Scalar, wx: Scalar, wy: Scalar,
) -> np.float32:  # fmt: skip
    """1 - NCC in [0, 2] of the plane (w, wx, wy) at pixel (x, y) in one source view; BAD where unseen.

    `source` (H + 24, W + 24) is padded by PAD_PX, `warp` (12,) holds A = K_s R K_r^-1 row by row, then
    b = K_s t.
    weights, centred, variance, strides: as `patch_weights` filled them. size_wh: (2,) float32, the source
    without its border.
    """
    px, py = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5)
    z = warp[6] * px + warp[7] * py + warp[8] + warp[11] * w
    if not (z > np.float32(1e-4) and w > 0):
        return BAD
    iz = np.float32(1) / z
    u = (warp[0] * px + warp[1] * py + warp[2] + warp[9] * w) * iz
    v = (warp[3] * px + warp[4] * py + warp[5] + warp[10] * w) * iz
    zx, zy = warp[6] + warp[11] * wx, warp[7] + warp[11] * wy
    stride = strides[y, x]
    step = stride * iz
    ux = (warp[0] + warp[9] * wx - u * zx) * step
    uy = (warp[1] + warp[9] * wy - u * zy) * step
    vx = (warp[3] + warp[10] * wx - v * zx) * step
    vy = (warp[4] + warp[10] * wy - v * zy) * step
    stretch_u, stretch_v = abs(ux) + abs(uy), abs(vx) + abs(vy)
    limit = stride * MAX_STRETCH
    if stretch_u > limit or stretch_v > limit or ux * vy - uy * vx <= 0:
        return BAD
    # From here on in the padded array, whose first pixel has its centre at 0.
    shift = np.float32(PAD_PX) - np.float32(0.5)
    u += shift
    v += shift
    reach_u, reach_v = np.float32(RADIUS) * stretch_u, np.float32(RADIUS) * stretch_v
    far_u, far_v = size_wh[0] + np.float32(2 * PAD_PX - 2), size_wh[1] + np.float32(2 * PAD_PX - 2)
    if u - reach_u < 0 or v - reach_v < 0 or u + reach_u > far_u or v + reach_v > far_v:
        return BAD
    mean = np.float32(0)
    square = np.float32(0)
    product = np.float32(0)
    # One flat loop over flat arrays with unsigned indices: so LLVM makes vectors of it.
    flat = source.reshape(-1)
    pitch = np.uint32(source.shape[1])
    one = np.uintp(1)
    weights_here = weights[y, x]
    centred_here = centred[y, x]
    for k in range(SAMPLES):
        su = u + ux * COLUMN[k] + uy * ROW[k]
        sv = v + vx * COLUMN[k] + vy * ROW[k]
        iu, iv = np.int32(su), np.int32(sv)
        fu, fv = su - np.float32(iu), sv - np.float32(iv)
        at = np.uintp(np.uint32(iv) * pitch + np.uint32(iu))
        below = at + np.uintp(pitch)
        top = flat[at] + fu * (flat[at + one] - flat[at])
        low = flat[below] + fu * (flat[below + one] - flat[below])
        value = top + fv * (low - top)
        weighted = weights_here[k] * value
        mean += weighted
        square += weighted * value
        product += centred_here[k] * value
    spread = max(square - mean * mean, np.float32(0)) + NOISE_VARIANCE
    return np.float32(1) - product / np.sqrt(spread * (variance[y, x] + NOISE_VARIANCE))


@inline
def round_trip_px(
    planes: Float32, size_wh: Float32, warp: Float32, back_warp: Float32, x: int, y: int, w: Scalar
) -> np.float32:
    """How far pixel (x, y) of inverse depth w ends from itself, in pixels: into the source, and back.

    On the way back it takes the depth that `planes` (H, W, 3) of the source give where it arrived. A large
    number where it arrives outside or where the source knows nothing (w = 0). Schönberger et al. (2016).
    size_wh: (2,) float32, the source's, pixels. warp, back_warp: (12,) float32, there and back, as
    `view_cost` has them.
    """
    far = np.float32(1e3)
    px, py = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5)
    z = warp[6] * px + warp[7] * py + warp[8] + warp[11] * w
    if not z > np.float32(1e-4):
        return far
    u = (warp[0] * px + warp[1] * py + warp[2] + warp[9] * w) / z
    v = (warp[3] * px + warp[4] * py + warp[5] + warp[10] * w) / z
    if u < 0 or v < 0 or u >= size_wh[0] or v >= size_wh[1]:
        return far
    i, j = np.int32(u), np.int32(v)
    there = planes[j, i, 0]
    if there <= 0:
        return far
    half = np.float32(0.5)
    there += planes[j, i, 1] * (u - np.float32(i) - half) + planes[j, i, 2] * (v - np.float32(j) - half)
    back_z = back_warp[6] * u + back_warp[7] * v + back_warp[8] + back_warp[11] * there
    if not back_z > np.float32(1e-4):
        return far
    back_u = (back_warp[0] * u + back_warp[1] * v + back_warp[2] + back_warp[9] * there) / back_z
    back_v = (back_warp[3] * u + back_warp[4] * v + back_warp[5] + back_warp[10] * there) / back_z
    return np.sqrt((back_u - px) ** 2 + (back_v - py) ** 2)
