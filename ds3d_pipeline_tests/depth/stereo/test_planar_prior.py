"""Planes over areas without texture: true on flat ones, none over steps or texture."""

from dataclasses import replace

import numpy as np
import pytest

from ds3d_pipeline.depth.options import PlanarPriorOptions
from ds3d_pipeline.depth.stereo.levels import make_level
from ds3d_pipeline.depth.stereo.patchmatch import Planes
from ds3d_pipeline.depth.stereo.planar_prior import planar_prior
from ds3d_pipeline.depth.stereo.pyramid import GreyLevel
from ds3d_pipeline.scene import View

SIZE_WH = (160, 120)
K = np.array([[150.0, 0, 80], [0, 150.0, 60], [0, 0, 1]])
HOLE = np.s_[40:80, 60:100]


def grey(plain):
    """Noise, but for an even square around the hole where `plain`."""
    pixels = np.random.default_rng(0).uniform(0, 1, SIZE_WH[::-1]).astype(np.float32)
    if plain:
        pixels[20:100, 40:120] = 0.5
    return GreyLevel(pixels=pixels, K=K)


def level_of(plain):
    """Two cameras at one place, so that every depth fits the photos."""
    no_ids = np.zeros(0, np.int32)
    view = View(image="x", image_size_wh=SIZE_WH, K=K, cam_from_world=np.eye(4), point_ids=no_ids)
    return make_level([view, replace(view, image="y")], [grey(plain)] * 2, (0.1, 1.0))


def found_of(inverse_depth):
    planes = np.zeros((*SIZE_WH[::-1], 3), np.float32)
    planes[..., 0] = inverse_depth
    return Planes(planes=planes, cost=np.full(SIZE_WH[::-1], 1.0, np.float32), K=K)


@pytest.fixture
def kept():
    mask = np.ones(SIZE_WH[::-1], bool)
    mask[HOLE] = False
    return mask


def test_a_flat_wall_is_filled_with_itself(kept):
    v, u = np.indices(SIZE_WH[::-1]) + 0.5
    wall = 0.5 + 2e-4 * u - 1e-4 * v
    planes, filled = planar_prior(
        found_of(wall), kept, level_of(plain=True), PlanarPriorOptions(max_edge=0.4)
    )
    assert filled[HOLE].mean() > 0.95
    assert not (filled & kept).any()
    np.testing.assert_allclose(planes[..., 0][filled], wall[filled], rtol=2e-3)


def test_texture_is_left_to_matching(kept):
    _, filled = planar_prior(found_of(0.5), kept, level_of(plain=False), PlanarPriorOptions(max_edge=0.4))
    assert not filled.any()


def test_no_plane_spans_a_step(kept):
    u = np.indices(SIZE_WH[::-1])[1]
    step = np.where(u < 80, 0.5, 0.8)
    planes, filled = planar_prior(
        found_of(step), kept, level_of(plain=True), PlanarPriorOptions(max_edge=0.4)
    )
    near = np.minimum(np.abs(planes[..., 0] - 0.5), np.abs(planes[..., 0] - 0.8))
    assert (near[filled] < 0.01).all()


def test_without_a_kept_pixel_nothing_is_filled(kept):
    _, filled = planar_prior(found_of(0.5), np.zeros_like(kept), level_of(plain=True), PlanarPriorOptions())
    assert not filled.any()
