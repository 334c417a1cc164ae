import numpy as np
import pytest

from ds3d_pipeline.formats.images import gray_of
from ds3d_pipeline.keyframes.sharpness import local_variance, sharpness
from ds3d_pipeline_tests.keyframes.samples import view


def test_falls_with_every_bit_of_blur():
    values = [sharpness(gray_of(view(100, blur_px=size))) for size in (0, 3, 5, 9, 15)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 1.5 * values[2]


def test_contrast_and_brightness_hardly_matter():
    gray = gray_of(view(100))
    faint = (gray * 0.4 + 100).astype(np.uint8)
    assert sharpness(faint) == pytest.approx(sharpness(gray), rel=0.1)


def test_empty_surroundings_hardly_matter():
    """A measure that only averages the Laplacian would halve where half of the picture is sky."""
    gray = gray_of(view(100))
    half_sky = gray.copy()
    half_sky[: gray.shape[0] // 2] = 200
    assert sharpness(half_sky) == pytest.approx(sharpness(gray), rel=0.25)


def test_little_detail_in_focus_beats_much_detail_out_of_focus():
    little = np.kron(gray_of(view(0)), np.ones((3, 3), np.uint8))[:240, :320]
    assert sharpness(np.ascontiguousarray(little)) > sharpness(gray_of(view(0, blur_px=15)))


def test_a_flat_picture_has_none():
    assert sharpness(np.full((60, 80), 90, np.uint8)) == 0


def test_local_variance_of_a_ramp():
    """The variance of 15 successive integers is (15^2 - 1) / 12."""
    ramp = np.tile(np.arange(100, dtype=np.float32), (50, 1))
    assert local_variance(ramp)[25, 20:80] == pytest.approx(224 / 12, rel=1e-3)
