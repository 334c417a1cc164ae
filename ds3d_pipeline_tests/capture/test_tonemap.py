import numpy as np
import pytest

from ds3d_pipeline.capture.tonemap import compress_highlights, sdr_from_hdr

WHITE = 65280
"""libswscale's nominal white in rgb48."""


def test_curve_is_linear_in_the_shadows_and_ends_at_one():
    light = np.array([0.0, 0.1, 0.3, 1.0, 1000 / 203], np.float32)
    curve = compress_highlights(light)
    assert curve[:3] == pytest.approx(light[:3])
    assert 0.6 < curve[3] < 0.75
    assert curve[4] == pytest.approx(1, abs=1e-5)


def test_curve_is_smooth_and_rises_everywhere():
    light = np.linspace(0, 1000 / 203, 2000, dtype=np.float32)
    slope = np.diff(compress_highlights(light)) / np.diff(light)
    assert slope.min() > 0
    assert np.abs(np.diff(slope)).max() < 0.01


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_grays_stay_gray_and_in_order(transfer):
    ramp = np.linspace(0, WHITE, 256).astype(np.uint16)
    sdr = sdr_from_hdr(np.repeat(ramp[None, :, None], 3, axis=2), transfer)
    assert sdr.shape == (1, 256, 3)
    assert sdr.dtype == np.uint8
    assert np.ptp(sdr.astype(int), axis=2).max() <= 1
    assert np.all(np.diff(sdr[0, :, 0].astype(int)) >= 0)
    assert sdr[0, 0, 0] == 0
    assert sdr[0, -1, 0] == 255


@pytest.mark.parametrize(("signal", "nits"), [(0.5081, 100.0), (0.5807, 203.0), (0.7518, 1000.0)])
def test_pq_follows_st_2084(signal, nits):
    """Signal values as tabulated in ITU-R BT.2408; the expected code from the curve and IEC 61966-2-1."""
    pixel = np.full((1, 1, 3), round(signal * WHITE), np.uint16)
    linear = float(compress_highlights(np.array([nits / 203], np.float32))[0])
    expected = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    assert sdr_from_hdr(pixel, "pq")[0, 0, 0] == pytest.approx(expected, abs=1.5)


def test_out_of_gamut_and_brightest_colours_do_not_wrap():
    pixels = np.array([[[0, WHITE, 0], [WHITE, 0, 0], [65535, 65535, 65535]]], np.uint16)
    green, red, white = sdr_from_hdr(pixels, "pq")[0].tolist()
    assert green[1] == 255
    assert max(green[0], green[2]) < 10
    assert red[0] == 255
    assert red[1] < 10
    assert white == [255, 255, 255]
