import numpy as np
import pytest

from ds3d_pipeline.depth.learned.refinement import (
    flying_pixels,
    normalised_disparity,
    normals_from_depth,
    smoothed,
    without_ramps,
)
from ds3d_pipeline.depth.options import RefinementOptions
from ds3d_pipeline.geometry.cameras import intrinsics, rays

OPTIONS = RefinementOptions()


def test_two_percent_on_either_side_are_clipped():
    ramp = np.arange(1001, dtype=np.float32).reshape(7, 143)
    found = normalised_disparity(5 + 3 * ramp, OPTIONS)
    np.testing.assert_allclose(found, np.clip((ramp - 20) / 960, 0, 1), atol=1e-5)


def test_the_same_everywhere_is_nothing():
    assert normalised_disparity(np.full((5, 5), 3, np.float32), OPTIONS) is None


def noisy_step():
    random = np.random.default_rng(0)
    step = np.where(np.arange(320) < 160, 0.2, 0.8) * np.ones((240, 1))
    return step, (step + random.normal(scale=0.01, size=step.shape)).astype(np.float32)


@pytest.mark.parametrize("brightness", [0, 255])
def test_noise_goes_and_the_step_stays(brightness):
    step, noisy = noisy_step()
    found = smoothed(noisy, np.full((240, 320, 3), brightness, np.uint8), OPTIONS)
    assert np.std(found - step) < 0.5 * 0.01
    assert np.abs(found[:, 158:162].mean(axis=0) - step[0, 158:162]).max() < 0.005


def test_the_photo_tells_where_a_faint_edge_is():
    """A step too small for the filter to tell from noise stays where the photo shows an edge."""
    step = np.where(np.arange(320) < 160, 0.5, 0.53) * np.ones((240, 1), np.float32)
    edge = np.where(np.arange(320) < 160, 20, 230) * np.ones((240, 1))
    plain, guided = (
        smoothed(step.astype(np.float32), np.repeat(photo[..., None], 3, axis=2).astype(np.uint8), OPTIONS)
        for photo in (np.full((240, 320), 128), edge)
    )
    assert np.abs(plain - step).max() > 0.005
    assert np.abs(guided - step).max() < 0.0005


def test_a_ramp_becomes_a_step_in_its_middle():
    depth = np.full((240, 320), 1.0, np.float32)
    depth[:, 160:] = 2.0
    depth[:, 158:162] = [1.2, 1.4, 1.6, 1.8]
    found = without_ramps(depth, OPTIONS)
    np.testing.assert_array_equal(found, np.where(np.arange(320) < 160, 1.0, 2.0) * np.ones((240, 1)))


def test_what_is_all_ramp_is_unknown_far_from_surfaces():
    ramp = np.tile(np.float32(1.1) ** np.arange(60, dtype=np.float32), (40, 1))
    assert (without_ramps(ramp, OPTIONS) == 0).all()
    depth = np.concatenate([np.ones((40, 60), np.float32), ramp], axis=1)
    found = without_ramps(depth, OPTIONS)
    assert (found[:, :58] == 1).all()
    assert (found[:, 64:] == 0).all()
    assert (without_ramps(np.zeros((9, 9), np.float32), OPTIONS) == 0).all()


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
