"""What is left of a splat in a preview."""

import dataclasses

import numpy as np

from ds3d_pipeline.splats.thinning import FAR, preview_splat, thin_splat
from ds3d_pipeline_tests.finished import random_gaussians

CAMERAS = np.array([[x, 0.0, -3.0] for x in (-1.0, 0.0, 1.0)])


def test_thinning_keeps_what_covers_most():
    whole = random_gaussians(1000)
    scales = np.full((1000, 3), -5, np.float32)
    scales[::10] = -3
    opacities = np.full(1000, 2, np.float32)
    opacities[::20] = -9
    whole = dataclasses.replace(whole, log_scales=scales, opacity_logits=opacities)
    kept = thin_splat(whole, 50)
    # Every tenth is large, but every twentieth of those is as good as invisible.
    assert np.array_equal(kept.means, whole.means[10::20])
    assert np.array_equal(kept.sh_coeffs, whole.sh_coeffs[10::20])
    assert thin_splat(whole, 1000) is whole


def test_a_preview_leaves_out_what_is_far_from_every_camera():
    whole = random_gaussians(100)
    means = whole.means.copy()
    means[7] = (0, 0, 2.1 * FAR)
    whole = dataclasses.replace(whole, means=means)
    kept = preview_splat(whole, CAMERAS)
    assert np.array_equal(kept.means, np.delete(means, 7, axis=0))
    assert len(preview_splat(whole, np.zeros((0, 3))).means) == 100


def test_a_preview_is_within_its_budget_and_of_degree_1():
    kept = preview_splat(random_gaussians(100), CAMERAS, budget=40)
    assert kept.sh_coeffs.shape == (40, 4, 3)


def test_a_splat_of_plain_colours_stays_one():
    whole = random_gaussians(30)
    plain = dataclasses.replace(whole, sh_coeffs=whole.sh_coeffs[:, :1])
    assert preview_splat(plain, CAMERAS).sh_coeffs.shape == (30, 1, 3)
