"""Pairs of tiles and Gaussians against every pixel looked at."""

import numpy as np
import pytest

from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT
from ds3d_pipeline.splats.kernels.projection import (
    CONIC_A,
    CONIC_B,
    CONIC_C,
    DEPTH,
    HALF_WIDTH,
    MEAN_X,
    MEAN_Y,
    OPACITY,
    PROJECTED_SIZE,
    project,
)
from ds3d_pipeline.splats.kernels.tiles import TILE, bin_gaussians
from ds3d_pipeline_tests.splats.scenes import camera, random_rows


def project_rows(rows, cam):
    projected = np.empty((len(rows), PROJECTED_SIZE), np.float32)
    project(rows, cam, 0, projected)
    return projected


def touched(projected, tiles_wh) -> set[tuple[int, int]]:
    """All (tile, Gaussian) where a pixel's alpha is clearly above the cut."""
    width, height = tiles_wh[0] * TILE, tiles_wh[1] * TILE
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    found = set()
    for g in np.flatnonzero(projected[:, HALF_WIDTH] > 0):
        dx, dy = x - projected[g, MEAN_X], y - projected[g, MEAN_Y]
        power = (
            -0.5 * (projected[g, CONIC_A] * dx**2 + projected[g, CONIC_C] * dy**2)
            - projected[g, CONIC_B] * dx * dy
        )
        drawn = projected[g, OPACITY] * np.exp(power) > 1.001 / 255
        per_tile = drawn.reshape(tiles_wh[1], TILE, tiles_wh[0], TILE).any(axis=(1, 3))
        found |= {(int(tile), int(g)) for tile in np.flatnonzero(per_tile)}
    return found


def pairs_of(tiles) -> list[tuple[int, int]]:
    tile_of = np.repeat(np.arange(len(tiles.starts) - 1), np.diff(tiles.starts))
    return list(zip(tile_of.tolist(), tiles.ids.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [(16, 16), (53, 37), (1, 70)])
def test_no_touched_tile_is_missed_and_few_are_added(seed, size):
    rows = random_rows(120, 0, seed)
    rows[:30, LOG_SCALE] = 1.0
    rows[:30, LOG_SCALE + 1 : LOGIT] = -8.0
    projected = project_rows(rows, camera(*size, seed=seed))
    tiles = bin_gaussians(projected, size)
    pairs = pairs_of(tiles)
    assert len(set(pairs)) == len(pairs)
    assert touched(projected, tiles.tiles_wh) <= set(pairs)
    everything = (projected[:, HALF_WIDTH] > 0).sum() * tiles.tiles_wh[0] * tiles.tiles_wh[1]
    assert len(pairs) <= everything


def test_tiles_are_sorted_front_to_back_and_places_point_back():
    projected = project_rows(random_rows(400, 0, 1), camera())
    tiles = bin_gaussians(projected, (53, 37))
    for start, end in zip(tiles.starts[:-1], tiles.starts[1:], strict=True):
        assert (np.diff(projected[tiles.ids[start:end], DEPTH]) >= 0).all()
    for g in range(len(projected)):
        places = tiles.pair_places[tiles.pair_starts[g] : tiles.pair_starts[g + 1]]
        assert (tiles.ids[places] == g).all()
    np.testing.assert_array_equal(np.sort(tiles.pair_places), np.arange(len(tiles.ids)))


def test_nothing_visible_has_no_pairs():
    rows = random_rows(20, 0, 2)
    rows[:, LOGIT] = -30
    tiles = bin_gaussians(project_rows(rows, camera()), (53, 37))
    assert len(tiles.ids) == 0
    assert not tiles.starts.any()
