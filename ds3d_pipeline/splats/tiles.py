"""Which Gaussians touch which 16x16 tile, front to back.

The ellipse where alpha is at least 1/255 is intersected with every row of tiles exactly (AccuTile of Hanson
et al., "Speedy-Splat", 2024), so that a long thin Gaussian fills no box. Depth order comes from one sort of
the Gaussians; a counting sort by tile keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import prange

from ds3d_pipeline.scene import Float32, Int32
from ds3d_pipeline.splats.jit import Array, parallel, serial
from ds3d_pipeline.splats.projection import CA, CB, CC, DEPTH, MX, MY, RX, RY

f32 = np.float32
TILE = 16
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """The pairs (tile, Gaussian) of one picture, tile by tile and front to back within a tile."""

    tiles_wh: tuple[int, int]
    ids: Int32
    """(P,) Gaussian of each pair."""
    starts: Int32
    """(tiles + 1,) where each tile's pairs begin."""
    pair_starts: Int32
    """(N + 1,) where each Gaussian's part of `pair_places` begins."""
    pair_places: Int32
    """(P,) for each Gaussian the places of its pairs in `ids`."""


def bin_gaussians(flat: Float32, size_wh: tuple[int, int]) -> Tiles:
    """The pairs of projected Gaussians `flat` (N, 12) in a picture of that size."""
    tiles_wh = ((size_wh[0] + TILE - 1) // TILE, (size_wh[1] + TILE - 1) // TILE)
    counts = np.zeros(len(flat) + 1, np.int32)
    _walk(flat, tiles_wh[0], tiles_wh[1], counts, np.zeros(0, np.int32), False)
    pair_starts = np.cumsum(counts, dtype=np.int32)
    tile_of_pair = np.full(pair_starts[-1], tiles_wh[0] * tiles_wh[1], np.int32)
    _walk(flat, tiles_wh[0], tiles_wh[1], pair_starts, tile_of_pair, True)
    visible = np.flatnonzero(counts[1:])
    order = visible[np.argsort(flat[visible, DEPTH], kind="stable")].astype(np.int32)
    ids, pair_places = np.empty_like(tile_of_pair), np.empty_like(tile_of_pair)
    starts = np.zeros(tiles_wh[0] * tiles_wh[1] + 2, np.int32)
    _counting_sort(order, pair_starts, tile_of_pair, starts, ids, pair_places)
    return Tiles(
        tiles_wh=tiles_wh, ids=ids, starts=starts[:-1], pair_starts=pair_starts, pair_places=pair_places
    )


@parallel
def _walk(flat: Array, tiles_w: int, tiles_h: int, starts: Array, tile_of_pair: Array, fill: bool) -> None:
    """Counts each Gaussian's tiles into starts[1:], or with `fill` writes them from its start on.

    Rounding may differ between the two passes: what finds no room is left out, what is missing keeps the
    number past the last tile, which nobody draws.
    """
    count = flat.shape[0]
    for chunk in prange((count + _CHUNK - 1) // _CHUNK):
        for g in range(chunk * _CHUNK, min(count, (chunk + 1) * _CHUNK)):
            if flat[g, RX] < f32(0):
                continue
            mx, my, a, b, c = flat[g, MX], flat[g, MY], flat[g, CA], flat[g, CB], flat[g, CC]
            rx, ry = flat[g, RX], flat[g, RY]
            # a dx^2 + 2 b dx dy + c dy^2 <= level, whose topmost point is at height ry.
            level = ry * ry * (a * c - b * b) / a
            first = max(int((my - ry) // TILE), 0)
            last = min(int((my + ry) // TILE), tiles_h - 1)
            found = 0
            for row in range(first, last + 1):
                low = max(f32(row * TILE) - my, -ry)
                high = min(f32(row * TILE + TILE) - my, ry)
                # The ellipse's rightmost point is at dy = -rx b / c; within the band, nearest to that.
                right_dy = min(max(-rx * b / c, low), high)
                left_dy = min(max(rx * b / c, low), high)
                right = np.sqrt(max(a * level - (a * c - b * b) * right_dy * right_dy, f32(0)))
                left = np.sqrt(max(a * level - (a * c - b * b) * left_dy * left_dy, f32(0)))
                begin = max(int((mx + (-b * left_dy - left) / a) // TILE), 0)
                end = min(int((mx + (-b * right_dy + right) / a) // TILE), tiles_w - 1)
                for column in range(begin, end + 1):
                    if fill and starts[g] + found < starts[g + 1]:
                        tile_of_pair[starts[g] + found] = row * tiles_w + column
                    found += 1
            if not fill:
                starts[g + 1] = found


@serial
def _counting_sort(
    order: Array, pair_starts: Array, tile_of_pair: Array, starts: Array, ids: Array, places: Array
) -> None:
    """Pairs by tile, in the order of `order` within a tile; `starts` gets one tile more than are drawn."""
    tiles = starts.shape[0] - 1
    cursor = np.zeros(tiles + 1, np.int32)
    for pair in range(tile_of_pair.shape[0]):
        cursor[tile_of_pair[pair] + 1] += 1
    for tile in range(tiles):
        cursor[tile + 1] += cursor[tile]
        starts[tile + 1] = cursor[tile + 1]
    for g in order:
        for pair in range(pair_starts[g], pair_starts[g + 1]):
            tile = tile_of_pair[pair]
            ids[cursor[tile]] = g
            places[pair] = cursor[tile]
            cursor[tile] += 1
