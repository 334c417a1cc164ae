import numpy as np

from ds3d_pipeline.depth.refinement import (
    RefinementOptions,
    flying_pixels,
    guided_filter,
    normalised_disparity,
    normals_from_depth,
    smoothed,
)
from ds3d_pipeline.geometry.cameras import intrinsics, rays

OPTIONS = RefinementOptions()


def test_two_percent_on_either_side_are_clipped():
    ramp = np.arange(1001, dtype=np.float32).reshape(7, 143)
    found = normalised_disparity(5 + 3 * ramp, OPTIONS)
    np.testing.assert_allclose(found, np.clip((ramp - 20) / 960, 0, 1), atol=1e-5)


def test_the_same_everywhere_is_nothing():
    assert normalised_disparity(np.full((5, 5), 3, np.float32), OPTIONS) is None


def plain_guided_filter(values, guide, radius, epsilon):
    """Window by window, least squares of values = a guide + b (He et al. 2010, equations 5 and 6)."""
    height, width = values.shape
    slopes, offsets = np.zeros((2, height, width))
    rows = np.pad(np.arange(height), radius, mode="symmetric")
    columns = np.pad(np.arange(width), radius, mode="symmetric")
    windows = {}
    for y in range(height):
        for x in range(width):
            window = np.ix_(rows[y : y + 2 * radius + 1], columns[x : x + 2 * radius + 1])
            windows[y, x] = window
            i, p = guide[window].ravel(), values[window].ravel()
            slopes[y, x] = np.mean((i - i.mean()) * (p - p.mean())) / (i.var() + epsilon)
            offsets[y, x] = p.mean() - slopes[y, x] * i.mean()
    return np.array(
        [
            [slopes[windows[y, x]].mean() * guide[y, x] + offsets[windows[y, x]].mean() for x in range(width)]
            for y in range(height)
        ]
    )


def test_guided_filter_is_its_definition():
    random = np.random.default_rng(0)
    values, guide = random.uniform(size=(2, 14, 17)).astype(np.float32)
    expected = plain_guided_filter(values.astype(float), guide.astype(float), 2, 0.01)
    np.testing.assert_allclose(guided_filter(values, guide, 2, 0.01), expected, atol=1e-4)


def test_noise_goes_and_the_edge_in_the_photo_stays():
    random = np.random.default_rng(0)
    step = np.where(np.arange(160) < 80, 0.2, 0.8) * np.ones((120, 1))
    photo = np.repeat(np.round(255 * (1 - step))[..., None], 3, axis=2).astype(np.uint8)
    noisy = (step + random.normal(scale=0.05, size=step.shape)).astype(np.float32)
    found = smoothed(noisy, photo, OPTIONS)
    assert np.std(found - step) < 0.4 * 0.05
    assert np.abs(found[:, 78:82].mean(axis=0) - step[0, 78:82]).max() < 0.05


def test_flying_pixels_hang_between_two_surfaces():
    depth = np.full((20, 40), 1.0, np.float32)
    depth[:, 20:] = 2.0
    depth[:, 18:20] = [1.3, 1.6]
    depth[0] = 0
    found = flying_pixels(depth, OPTIONS.flying_step)
    assert found[5].nonzero()[0].tolist() == [17, 18, 19, 20]
    assert not found[0].any()


def test_a_floor_seen_at_a_grazing_angle_is_no_edge():
    floor = rays(intrinsics(500.0, (640, 480)), (640, 480))[300:, :, 1]
    assert not flying_pixels((1 / floor).astype(np.float32), OPTIONS.flying_step).any()


def test_normals_of_a_slanted_plane():
    K = intrinsics(100.0, (80, 60))
    normal = np.array([0.3, -0.2, -0.93])
    normal /= np.linalg.norm(normal)
    depth = (-2 / (rays(K, (80, 60)) @ normal)).astype(np.float32)
    depth[10:20, 30:40] = 0
    found = normals_from_depth(depth, K)
    known = depth > 0
    np.testing.assert_allclose(found[known], np.tile(normal, (known.sum(), 1)), atol=1e-3)
    assert (found[~known] == 0).all()
