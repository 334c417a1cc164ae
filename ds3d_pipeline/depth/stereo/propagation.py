"""The sweeps of PatchMatch stereo: red-black propagation, random refinement and choice of views, in numba.

Pixels of one colour of the checkerboard change while they read only pixels of the other colour, so the
result does not depend on the number of threads (Galliani et al. 2015). In each of eight directions the
neighbour of least cost proposes its plane (Xu and Tao 2019). Random numbers hash pixel and iteration.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ds3d_pipeline.depth.stereo.arguments import (
    AMPLITUDE_PX,
    AMPLITUDE_TILT,
    EVERYWHERE,
    FOCAL_PX,
    GREATEST_W,
    LEAST_W,
    W_PER_PX,
    Images,
    Plane,
)
from ds3d_pipeline.depth.stereo.matching_cost import BAD, Scalar, round_trip_px, view_cost
from ds3d_pipeline.programs.jit import ALL, inline, parallel
from ds3d_pipeline.scene import Float32

Int8 = NDArray[np.int8]

NEAR_STEPS = np.array([1, 3, 5, 7], np.int32)
FAR_STEPS = np.array([11, 17, 23], np.int32)
DIRECTIONS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (0, 1), (0, -1)], np.int32)
MAX_TILT = np.float32(4.0)
"""Steepest surface: tangent of its angle to the image plane."""
BEST_VIEWS = 3
MAX_ROUND_TRIP_PX = np.float32(3.0)
SAME_PX = np.float32(0.12)
"""A proposal that moves the match of the patch by less is no new hypothesis."""


@inline
def _uniform(x: int, y: int, iteration: int, salt: int) -> np.float32:
    """A number in [-1, 1) from a hash of its arguments (the finaliser of MurmurHash3, Appleby 2008).

    x, y: the pixel. iteration: of the sweep. salt: which of the numbers of one pixel.
    """
    h = np.uint32(x) * np.uint32(0x9E3779B1) ^ np.uint32(y) * np.uint32(0x85EBCA77)
    h = h ^ np.uint32(iteration) * np.uint32(0xC2B2AE3D) ^ np.uint32(salt) * np.uint32(0x27D4EB2F)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    h = h ^ (h >> np.uint32(16))
    return np.float32(h >> np.uint32(8)) * np.float32(2.0 / 16777216.0) - np.float32(1)


@inline
def _cost_in(images: Images, view: int, x: int, y: int, w: Scalar, wx: Scalar, wy: Scalar) -> np.float32:
    """Matching cost in one view, and the geometric term where the views have planes (weight > 0).

    images: what the costs need. view: which source. x, y: the pixel. w, wx, wy: its plane.
    """
    size, warp = images.sizes_wh[view], images.warps[view]
    c = view_cost(
        images.weights, images.centred, images.variance, images.strides,
        images.sources[view], size, warp, x, y, w, wx, wy,
    )  # fmt: skip
    if images.weight > 0 and c < BAD:
        error = round_trip_px(images.planes[view], size, warp, images.back_warps[view], x, y, w)
        c += images.weight * min(error, MAX_ROUND_TRIP_PX)
    return c


@inline
def _best_views_cost(images: Images, x: int, y: int, w: Scalar, wx: Scalar, wy: Scalar) -> np.float32:
    """Mean of the three least costs over all views, so that views which do not see the point fall out.

    images: what the costs need. x, y: the pixel. w, wx, wy: its plane.
    """
    first = second = third = BAD
    views = len(images.sources)
    for view in range(views):
        c = _cost_in(images, view, x, y, w, wx, wy)
        third = min(third, max(second, c))
        second = min(second, max(first, c))
        first = min(first, c)
    if views == 1:
        return first
    if views == 2:
        return (first + second) / np.float32(2)
    return (first + second + third) / np.float32(3)


@inline
def _chosen_views_cost(
    images: Images, chosen: Int8, x: int, y: int, w: Scalar, wx: Scalar, wy: Scalar, limit: Scalar
) -> np.float32:
    """Mean cost over the pixel's chosen views; stops once it is sure to exceed `limit`.

    images: what the costs need. chosen: (H, W, K) int8, -1 for none. x, y: the pixel. w, wx, wy: its plane.
    """
    count = np.float32(0)
    for k in range(chosen.shape[2]):
        if chosen[y, x, k] >= 0:
            count += np.float32(1)
    if count == 0:
        return BAD
    total = np.float32(0)
    for k in range(chosen.shape[2]):
        view = chosen[y, x, k]
        if view >= 0 and total < limit * count:
            total += _cost_in(images, view, x, y, w, wx, wy)
    return total / count


@parallel(floats=ALL, counted=False)
def rate(planes: Float32, cost: Float32, images: Images) -> None:
    """Costs every pixel's own plane over the best views.

    planes: (H, W, 3) float32, (w, wx, wy). cost: (H, W) float32, filled; BAD without a plane (w = 0).
    images: what the costs need.
    """
    for y in prange(cost.shape[0]):
        for x in range(cost.shape[1]):
            w, wx, wy = planes[y, x, 0], planes[y, x, 1], planes[y, x, 2]
            cost[y, x] = _best_views_cost(images, x, y, w, wx, wy) if w > 0 else BAD


def choose_views(planes: Float32, cost: Float32, chosen: Int8, images: Images, slack: float) -> None:
    """Chooses for every pixel the views that match its plane best.

    The fourth and later views are chosen only if they cost at most `slack` more than the best.

    planes: (H, W, 3) float32, (w, wx, wy). cost: (H, W) float32, filled with the chosen views' mean.
    chosen: (H, W, K) int8, filled with views, best first, -1 for none. images: what the costs need.
    """
    scratch = np.empty((len(cost), len(images.sources)), np.float32)
    _choose_views(planes, cost, chosen, images, slack, scratch)


@parallel(floats=ALL, counted=False)
def _choose_views(
    planes: Float32, cost: Float32, chosen: Int8, images: Images, slack: float, scratch: Float32
) -> None:
    """Does what `choose_views` says.

    planes, cost, chosen, images, slack: as there. scratch: (H, views) float32, overwritten.
    """
    views, places = len(images.sources), chosen.shape[2]
    for y in prange(cost.shape[0]):
        costs = scratch[y]
        for x in range(cost.shape[1]):
            for i in range(views):
                costs[i] = _cost_in(images, i, x, y, planes[y, x, 0], planes[y, x, 1], planes[y, x, 2])
            best = total = np.float32(0)
            count = 0
            for k in range(places):
                chosen[y, x, k] = -1
                i = np.argmin(costs)
                c = costs[i]
                best = c if k == 0 else best
                if k < views and (k < BEST_VIEWS or c <= best + slack) and (c < BAD or k == 0):
                    chosen[y, x, k] = i
                    total += c
                    count += 1
                costs[i] = np.float32(9)
            cost[y, x] = total / np.float32(count)


@inline
def _proposal(planes: Float32, cost: Float32, x: int, y: int, trial: int) -> Plane:
    """The plane here of the least costly neighbour in one direction; w = -1 where there is none.

    planes: (H, W, 3) float32. cost: (H, W) float32. x, y: the pixel. trial: 0 to 7, row of DIRECTIONS.
    """
    height, width = cost.shape
    steps = NEAR_STEPS if trial < 4 else FAR_STEPS
    least = np.float32(9)
    from_x = from_y = -1
    for step in steps:
        nx, ny = x + step * DIRECTIONS[trial, 0], y + step * DIRECTIONS[trial, 1]
        inside = nx >= 0 and ny >= 0 and nx < width and ny < height
        if inside and cost[ny, nx] < least:
            least, from_x, from_y = cost[ny, nx], nx, ny
    if from_x < 0:
        return Plane(np.float32(-1), np.float32(0), np.float32(0))
    wx, wy = planes[from_y, from_x, 1], planes[from_y, from_x, 2]
    w = planes[from_y, from_x, 0] + wx * np.float32(x - from_x) + wy * np.float32(y - from_y)
    return Plane(w, wx, wy)


@inline
def _random_plane(
    w: np.float32, wx: np.float32, wy: np.float32, search: Float32, x: int, y: int, iteration: int, kind: int
) -> Plane:
    """Kind 0 changes the depth, 1 the tilt, 2 both, within the amplitudes; 3 tries any depth.

    w, wx, wy: the plane to vary. search: (7,) float32, see `arguments`. x, y, iteration: seed of the numbers.
    kind: 0 to 3, as above.
    """
    if kind == 3:
        fraction = np.float32(0.5) + np.float32(0.5) * _uniform(x, y, iteration, 9)
        any_w = search[LEAST_W] + (search[GREATEST_W] - search[LEAST_W]) * fraction
        return Plane(any_w, wx * any_w / w, wy * any_w / w)
    if kind == 0 or kind == 2:
        w += search[AMPLITUDE_PX] * search[W_PER_PX] * _uniform(x, y, iteration, 3 * kind)
    if kind > 0:
        tilt = search[AMPLITUDE_TILT] * w / search[FOCAL_PX]
        wx += tilt * _uniform(x, y, iteration, 3 * kind + 1)
        wy += tilt * _uniform(x, y, iteration, 3 * kind + 2)
    return Plane(w, wx, wy)


@parallel(floats=ALL, counted=False)
def sweep(
    planes: Float32, cost: Float32, chosen: Int8, images: Images, search: Float32, color: int, iteration: int
) -> None:
    """One iteration of one colour: proposals of the neighbours, then random ones around the best.

    planes: (H, W, 3) float32, each pixel's (w, wx, wy), changed in place.
    cost: (H, W) float32 in [0, 2], that of the planes, changed in place.
    chosen: (H, W, K) int8, the pixel's source views, best first, -1 for none.
    images: what the costs need. search: (7,) float32, how far to search, see `arguments`.
    color: 0 or 1, the pixels of the checkerboard that change. iteration: seed of their random numbers.
    """
    height, width = cost.shape
    everywhere = search[EVERYWHERE] > 0
    proposals, randoms = (8, 4) if everywhere else (8, 3)
    for y in prange(height):
        for x in range((y + color) % 2, width, 2):
            w, wx, wy, best = planes[y, x, 0], planes[y, x, 1], planes[y, x, 2], cost[y, x]
            for trial in range(proposals + randoms):
                if trial < proposals:
                    t, tx, ty = _proposal(planes, cost, x, y, trial)
                    change = abs(t - w) + np.float32(4) * (abs(tx - wx) + abs(ty - wy))
                    if change < SAME_PX * search[W_PER_PX]:
                        continue
                else:
                    t, tx, ty = _random_plane(w, wx, wy, search, x, y, iteration, trial - proposals)
                steepest = MAX_TILT * t / search[FOCAL_PX]
                if t < search[LEAST_W] or t > search[GREATEST_W] or abs(tx) > steepest or abs(ty) > steepest:
                    continue
                if everywhere:
                    c = _best_views_cost(images, x, y, t, tx, ty)
                else:
                    c = _chosen_views_cost(images, chosen, x, y, t, tx, ty, best)
                if c < best:
                    w, wx, wy, best = t, tx, ty, c
            planes[y, x, 0], planes[y, x, 1], planes[y, x, 2], cost[y, x] = w, wx, wy, best


@parallel(floats=ALL, counted=False)
def polish(planes: Float32, cost: Float32, chosen: Int8, images: Images, steps: Float32) -> None:
    """Moves every inverse depth to the minimum of the parabola through the costs at -step, 0 and +step.

    planes: (H, W, 3) float32, (w, wx, wy); w is changed in place.
    cost: (H, W) float32, that of the planes as they come, then that before the last move.
    chosen: (H, W, K) int8, the pixel's source views, -1 for none. images: what the costs need.
    steps: (N,) float32 of inverse depth, tried one after the other.
    """
    any_limit = np.float32(9)
    for y in prange(cost.shape[0]):
        for x in range(cost.shape[1]):
            w, wx, wy, here = planes[y, x, 0], planes[y, x, 1], planes[y, x, 2], cost[y, x]
            for n in range(len(steps)):
                step, less, more = steps[n], np.float32(0), np.float32(0)
                # One call for all three: each would be compiled into the kernel anew, for many seconds.
                for place in range(1 if n == 0 else 0, 3):
                    if place > 0 and here >= np.float32(1):
                        break
                    moved = w - step if place == 1 else w + step if place == 2 else w
                    c = _chosen_views_cost(images, chosen, x, y, moved, wx, wy, any_limit)
                    if place == 0:
                        here = c
                    elif place == 1:
                        less = c
                    else:
                        more = c
                if here >= np.float32(1):
                    break
                bend = less + more - np.float32(2) * here
                if bend > np.float32(1e-6):
                    shift = np.float32(0.5) * (less - more) / bend
                    w += step * min(max(shift, np.float32(-1)), np.float32(1))
            planes[y, x, 0], cost[y, x] = w, here


@parallel(floats=ALL, counted=False)
def enlarge(coarse: Float32, fine: Float32) -> None:
    """Extends the planes of a level to the pixels of the next finer one.

    coarse: (h, w, 3) float32, (w, wx, wy) per pixel of its own. fine: (H, W, 3) float32, filled.
    """
    scale_y = np.float32(coarse.shape[0]) / np.float32(fine.shape[0])
    scale_x = np.float32(coarse.shape[1]) / np.float32(fine.shape[1])
    half = np.float32(0.5)
    for y in prange(fine.shape[0]):
        cy = (np.float32(y) + half) * scale_y
        j = min(int(cy), coarse.shape[0] - 1)
        for x in range(fine.shape[1]):
            cx = (np.float32(x) + half) * scale_x
            i = min(int(cx), coarse.shape[1] - 1)
            wx, wy = coarse[j, i, 1], coarse[j, i, 2]
            w = coarse[j, i, 0] + wx * (cx - np.float32(i) - half) + wy * (cy - np.float32(j) - half)
            fine[y, x, 0], fine[y, x, 1], fine[y, x, 2] = w, wx * scale_x, wy * scale_y
