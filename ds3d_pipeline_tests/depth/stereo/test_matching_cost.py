"""The kernels against plain NumPy."""

import cv2
import numpy as np
import pytest

from ds3d_pipeline.depth.stereo.levels import make_level, warp
from ds3d_pipeline.depth.stereo.matching_cost import (
    BAD,
    COLOR_VARIANCE,
    NOISE_VARIANCE,
    PAD_PX,
    RADIUS,
    SPATIAL_VARIANCE,
    STRIDE,
    WEAK_VARIANCE,
    WIDE_STRIDE,
    patch_weights,
    round_trip_px,
    view_cost,
)
from ds3d_pipeline.depth.stereo.propagation import choose_views, polish
from ds3d_pipeline.depth.stereo.pyramid import GreyLevel
from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.scene import View

SIZE = 48
K = np.array([[60.0, 0, SIZE / 2], [0, 60.0, SIZE / 2], [0, 0, 1]])
STEPS = np.stack(np.meshgrid(*2 * [np.arange(-RADIUS, RADIUS + 1)]), axis=-1).reshape(-1, 2)


def smooth_photo(random):
    photo = cv2.GaussianBlur(random.uniform(0, 1, (SIZE, SIZE)).astype(np.float32), (0, 0), 2.5)
    return np.ascontiguousarray((photo - photo.min()) / np.ptp(photo))


def pose(random, amount):
    found = np.eye(4)
    found[:3, :3] = cv2.Rodrigues(random.normal(0, 0.04, 3))[0]
    found[:3, 3] = random.normal(0, amount, 3) * [1, 1, 0.3]
    return found


def reference_patch(image):
    weights, centred = np.empty((2, SIZE, SIZE, len(STEPS)), np.float32)
    variance, strides = np.empty((2, SIZE, SIZE), np.float32)
    patch_weights(image, weights, centred, variance, strides)
    return weights, centred, variance, strides


def plain_weights(image, x, y, stride):
    columns, rows = (np.clip(stride * STEPS + np.array([x, y]), 0, SIZE - 1)).T
    values = image[rows, columns].astype(np.float64)
    distance = STRIDE**2 * (STEPS**2).sum(1) / SPATIAL_VARIANCE
    weights = np.exp(-distance - (values - image[y, x]) ** 2 / COLOR_VARIANCE)
    return weights / weights.sum(), values


def plain_cost(image, source, chain, x, y, w, wx, wy):
    """1 - weighted NCC with the exact homography for every sample."""
    weights, values = plain_weights(image, x, y, STRIDE)
    if weights @ (values - weights @ values) ** 2 < WEAK_VARIANCE:
        stride = WIDE_STRIDE
        weights, values = plain_weights(image, x, y, stride)
    else:
        stride = STRIDE
    pixels = stride * STEPS + np.array([x + 0.5, y + 0.5])
    inverse = w + stride * STEPS @ [wx, wy]
    rays = np.column_stack([pixels, np.ones(len(pixels))])
    seen = rays @ chain[:9].reshape(3, 3).T + inverse[:, None] * chain[9:]
    u, v = (seen[:, :2] / seen[:, 2:]).T - 0.5 + PAD_PX
    sampled = cv2.remap(source, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR).ravel()
    above = values - weights @ values
    other = sampled - weights @ sampled
    spread = weights @ other**2 + NOISE_VARIANCE
    return 1 - (weights * above) @ other / np.sqrt(spread * (weights @ above**2 + NOISE_VARIANCE))


@pytest.mark.parametrize("contrast", [1.0, 0.05])
@pytest.mark.parametrize("seed", range(25))
def test_the_cost_is_one_minus_the_weighted_correlation(seed, contrast):
    random = np.random.default_rng(seed)
    image, other = smooth_photo(random) * np.float32(contrast), smooth_photo(random)
    source = np.pad(other, PAD_PX, mode="reflect")
    chain = warp(K, K, pose(random, 0.1), pose(random, 0.1))
    patch = reference_patch(image)
    size_wh = np.array([SIZE, SIZE], np.float32)
    for x, y in random.integers(14, SIZE - 14, (8, 2)):
        plane = (random.uniform(0.3, 0.6), *random.uniform(-0.002, 0.002, 2))
        found = view_cost(
            *patch, source, size_wh, chain.astype(np.float32), x, y, *map(np.float32, plane),
        )  # fmt: skip
        assert found == pytest.approx(plain_cost(image, source, chain, x, y, *plane), abs=0.02)


@pytest.mark.parametrize("seed", range(25))
def test_the_warp_is_projection(seed):
    random = np.random.default_rng(seed)
    here, there = pose(random, 0.3), pose(random, 0.3)
    points = random.uniform([-1, -1, 2], [1, 1, 5], (20, 3))
    pixels, depth = project(K, here, points)
    chain = warp(K, K, here, there)
    rays = np.column_stack([pixels, np.ones(len(pixels))])
    seen = rays @ chain[:9].reshape(3, 3).T + chain[9:] / depth[:, None]
    expected, z = project(K, there, points)
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], expected, atol=1e-9)
    np.testing.assert_allclose(seen[:, 2] * depth, z, atol=1e-9)


def test_a_plane_outside_the_source_or_behind_it_is_bad():
    image = smooth_photo(np.random.default_rng(0))
    patch = reference_patch(image)
    far = np.eye(4)
    far[0, 3] = 50
    chain = warp(K, K, np.eye(4), far).astype(np.float32)
    size_wh = np.array([SIZE, SIZE], np.float32)
    source = np.pad(image, PAD_PX, mode="reflect")
    zero = np.float32(0)
    for w in (0.5, -0.5):
        cost = view_cost(*patch, source, size_wh, chain, 24, 24, np.float32(w), zero, zero)
        assert cost == BAD


def test_a_round_trip_over_agreeing_planes_ends_where_it_began():
    """A wall at depth 2 seen by two cameras that look along +z: inverse depth 0.5 in both."""
    side = np.eye(4)
    side[0, 3] = -0.2
    forward, back = warp(K, K, np.eye(4), side), warp(K, K, side, np.eye(4))
    wall = np.zeros((SIZE, SIZE, 3), np.float32)
    wall[..., 0] = 0.5
    size_wh = np.array([SIZE, SIZE], np.float32)
    chains = forward.astype(np.float32), back.astype(np.float32)
    half = np.float32(0.5)
    assert round_trip_px(wall, size_wh, *chains, 30, 20, half) < 1e-3
    wall[..., 0] = 0.6
    # The way back moves by 60 px * 0.2 * (0.6 - 0.5).
    assert round_trip_px(wall, size_wh, *chains, 30, 20, half) == pytest.approx(1.2, abs=1e-3)


def level_of(random, sources=4):
    """What the kernels take of a photo and of sources that show other ones."""
    views = [
        View(image="", image_size_wh=(SIZE, SIZE), K=K, cam_from_world=place, point_ids=np.empty(0, np.int32))
        for place in (np.eye(4), *(pose(random, 0.1) for _ in range(sources)))
    ]
    levels = [GreyLevel(pixels=smooth_photo(random), K=K) for _ in views]
    return make_level(views, levels, (0.1, 1.0)).images


def plain_polish(images, chosen, x, y, plane, here, steps):
    """Where the parabola through three costs, each the mean over the pixel's views, is least."""
    w, *slopes = plane

    def cost(w):
        weights, centred, variance, strides, sources, sizes, warps = images[:7]
        return np.mean([
            view_cost(weights, centred, variance, strides, sources[v], sizes[v], warps[v], x, y,
                      np.float32(w), *slopes)
            for v in chosen[y, x] if v >= 0
        ])  # fmt: skip

    for n, step in enumerate(steps):
        here = here if n == 0 else cost(w)
        less, more = cost(w - step), cost(w + step)
        bend = less + more - 2 * here
        if bend > 1e-6 and here < 1:
            w += step * np.clip(0.5 * (less - more) / bend, -1, 1)
    return w, here


@pytest.mark.parametrize("seed", range(10))
def test_polish_goes_to_the_minimum_of_parabolas(seed):
    random = np.random.default_rng(seed)
    images = level_of(random)
    planes = np.zeros((SIZE, SIZE, 3), np.float32)
    planes[..., 0] = random.uniform(0.3, 0.6, (SIZE, SIZE))
    planes[..., 1:] = random.uniform(-0.002, 0.002, (SIZE, SIZE, 2))
    cost, chosen = np.empty((SIZE, SIZE), np.float32), np.empty((SIZE, SIZE, 4), np.int8)
    choose_views(planes, cost, chosen, images, 0.1)
    steps = np.array([0.02, 0.01], np.float32)
    before, start = planes.copy(), cost.copy()
    polish(planes, cost, chosen, images, steps)
    places = random.integers(14, SIZE - 14, (30, 2))
    told = [plain_polish(images, chosen, x, y, before[y, x], start[y, x], steps) for x, y in places]
    found = [(planes[y, x, 0], cost[y, x]) for x, y in places]
    # A parabola that is nearly a line turns rounding into a step.
    near = np.isclose(np.array(found), np.array(told), atol=2e-3).all(axis=1)
    assert near.mean() > 0.9
    assert np.abs(np.array(told)[:, 0] - [before[y, x, 0] for x, y in places]).max() > 0.005
