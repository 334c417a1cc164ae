"""Which areas without texture are taken for empty."""

import numpy as np
import pytest

from ds3d_pipeline.depth.options import SkyOptions
from ds3d_pipeline.depth.stereo.sky import sky_areas

SKY, ROOF, WALL = np.float32(0.9), np.float32(0.3), np.float32(0.6)
HEIGHT, WIDTH, SKYLINE = 80, 120, 40
RIM_PX = 4
"""Pixels of the sky whose patches reach the roof."""


@pytest.fixture
def house():
    """Grey values, what is textureless, and what is matched: sky over a roof with a plain wall in it."""
    grey = np.full((HEIGHT, WIDTH), ROOF)
    grey[:SKYLINE] = SKY
    grey[50:75, 20:60] = WALL
    textureless = np.zeros(grey.shape, bool)
    textureless[: SKYLINE - RIM_PX] = True
    textureless[54:71, 24:56] = True
    matched = np.zeros(grey.shape, bool)
    matched[SKYLINE - RIM_PX - 3 :] = True
    return grey, textureless, matched


def test_the_seam_of_depth_along_a_skyline_goes_and_the_roof_stays(house):
    grey, textureless, matched = house
    sky = sky_areas(matched, np.zeros_like(matched), textureless, grey, SkyOptions())
    np.testing.assert_array_equal(sky, grey == SKY)


def test_guesses_between_roofs_do_not_make_the_sky_solid(house):
    grey, textureless, matched = house
    guessed = np.zeros_like(matched)
    guessed[SKYLINE - 20 : SKYLINE - RIM_PX - 3] = True
    assert sky_areas(matched, guessed, textureless, grey, SkyOptions())[:SKYLINE].all()


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_wall_that_is_guessed_or_partly_matched_stays(house, share):
    grey, textureless, matched = house
    guessed = np.zeros_like(matched)
    if share:
        matched[54 + round(share * 17) : 71, 24:56] = False
    else:
        matched[54:71, 24:56] = False
        guessed[54:71, 24:56] = True
    sky = sky_areas(matched, guessed, textureless, grey, SkyOptions())
    assert not sky[SKYLINE:].any()


def test_without_areas_of_no_texture_nothing_is_sky(house):
    grey, _, matched = house
    nothing = np.zeros_like(matched)
    assert not sky_areas(nothing, nothing, nothing, grey, SkyOptions()).any()
