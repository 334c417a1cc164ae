import math

import numpy as np
import pytest

from ds3d_pipeline.formats.images import gray_of
from ds3d_pipeline.keyframes.motion import LOST_MOTION, MotionMeter, equivalent_shift_px
from ds3d_pipeline_tests.keyframes.samples import DIAGONAL, HEIGHT, WIDTH, view


def motions(images):
    meter = MotionMeter()
    return [meter.advance(image) for image in images]


@pytest.mark.parametrize("step_px", [0.5, 3, 12, 40, 90])
def test_a_translation_is_measured(step_px):
    measured = motions([gray_of(view(300 + step_px * number)) for number in range(12)])
    truth = [step_px * number / DIAGONAL for number in range(12)]
    assert measured == pytest.approx(truth, rel=0.05, abs=0.002)


def test_a_blurred_pan_is_measured():
    measured = motions([gray_of(view(300 + 20 * number, blur_px=15)) for number in range(12)])
    assert measured[-1] == pytest.approx(11 * 20 / DIAGONAL, rel=0.1)


def test_trembling_does_not_add_up():
    offsets = [300 + 2 * math.sin(number * 1.9) for number in range(60)]
    assert motions([gray_of(view(x)) for x in offsets])[-1] < 0.02


def test_there_and_back_counts_both_ways():
    offsets = [*range(300, 420, 6), *range(420, 300, -6)]
    measured = motions([gray_of(view(x)) for x in offsets])
    assert measured[-1] == pytest.approx(2 * 117 / DIAGONAL, abs=0.04)
    assert measured == sorted(measured)


def test_a_cut_counts_as_lost():
    rng = np.random.default_rng(3)
    other = np.kron(rng.integers(0, 255, (24, 32), np.uint8), np.ones((10, 10), np.uint8))
    assert motions([gray_of(view(0)), other])[-1] == LOST_MOTION


def test_without_texture_the_last_step_goes_on():
    rng = np.random.default_rng(4)
    walls = [np.clip(rng.normal(120, 0.7, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8) for _ in range(5)]
    assert motions(walls)[-1] < 0.05


def test_a_flat_picture_has_no_motion():
    assert motions([np.full((HEIGHT, WIDTH), 80, np.uint8)] * 3) == pytest.approx([0, 0, 0], abs=1e-6)


def test_equivalent_shift():
    gray = gray_of(view(300))
    assert equivalent_shift_px(gray, gray) == 0
    assert 0.05 < equivalent_shift_px(gray, gray_of(view(300.3))) < 0.5
    assert equivalent_shift_px(np.zeros((9, 9), np.uint8), np.ones((9, 9), np.uint8)) == math.inf
