"""Camera flaws do what their numbers say."""

import dataclasses

import cv2
import numpy as np
import pytest

from ds3d_pipeline.geometry.cameras import intrinsics
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SceneOptions
from ds3d_pipeline.synthetic.path import make_path
from ds3d_pipeline.synthetic.photograph import distort, padded_intrinsics, photograph, undistorted_pixels
from ds3d_pipeline.synthetic.scene import make_scene

SMALL = CameraOptions(size_wh=(160, 120), focal_px=140, noise_sigma=0, defocus_px=0, exposure=0)


def photo(options, motion_deg_per_exposure=0.0, seed=0):
    scene = make_scene(SceneOptions(name="relief"))
    path = make_path(PathOptions(radius_m=1.0), scene.target)
    return photograph(
        scene,
        lambda shift: path.cam_from_world(0.5 + shift * motion_deg_per_exposure / 80),
        options,
        np.random.default_rng(seed),
    ).astype(float)


def sharpness(image):
    return cv2.Laplacian(image.mean(axis=2), cv2.CV_64F).var()


def test_noise_has_its_standard_deviation():
    difference = photo(dataclasses.replace(SMALL, noise_sigma=4.0)) - photo(SMALL)
    assert difference.std() == pytest.approx(4.0, rel=0.05)
    assert difference.mean() == pytest.approx(0, abs=0.1)


def test_defocus_and_motion_blur():
    sharp = sharpness(photo(SMALL))
    assert sharpness(photo(dataclasses.replace(SMALL, defocus_px=1.5))) < 0.3 * sharp
    assert sharpness(photo(SMALL, motion_deg_per_exposure=2.0)) < 0.8 * sharp


@pytest.mark.parametrize("k1", [-0.15, -0.03, 0.05, 0.2])
def test_undistorted_pixels_solve_the_lens_model(k1):
    K = intrinsics(140, (160, 120))
    pixels = np.random.default_rng(0).uniform(0, [160, 120], size=(100, 2))
    pinhole = (undistorted_pixels(pixels, K, k1) - [80, 60]) / 140
    distorted = pinhole * (1 + k1 * (pinhole**2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(distorted * 140 + [80, 60], pixels, atol=1e-9)
    np.testing.assert_allclose(undistorted_pixels(K[None, :2, 2], K, k1), K[None, :2, 2])


@pytest.mark.parametrize("k1", [-0.15, 0.2])
def test_distortion_moves_a_picture_of_its_own_coordinates_as_the_model_says(k1):
    options = dataclasses.replace(SMALL, radial_k1=k1)
    K, (width, height) = padded_intrinsics(options)
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    normalised = np.stack([(u - K[0, 2]) / 140, (v - K[1, 2]) / 140, np.ones_like(u)], axis=-1)
    seen = distort(normalised.astype(np.float32), K, options)[..., :2].astype(float)
    bent = seen * (1 + k1 * (seen**2).sum(axis=2, keepdims=True)) * 140 + [80, 60]
    rows, columns = np.mgrid[:120, :160]
    np.testing.assert_allclose(bent, np.stack([columns + 0.5, rows + 0.5], axis=-1), atol=2e-3)


def test_a_lens_that_folds_the_image_is_refused():
    with pytest.raises(ValueError, match="radial_k1"):
        photo(dataclasses.replace(SMALL, radial_k1=-2.0))


def test_a_640x480_frame_has_many_features():
    scene = make_scene(SceneOptions())
    path = make_path(PathOptions(), scene.target)
    image = photograph(scene, lambda _: path.cam_from_world(0.5), CameraOptions(), np.random.default_rng(0))
    assert len(cv2.SIFT.create().detect(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), None)) > 1500
