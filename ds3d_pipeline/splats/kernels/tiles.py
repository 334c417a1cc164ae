"""Which Gaussians touch which 16x16 tile, front to back.

The ellipse where alpha is at least 1/255 is intersected with every row of tiles exactly (AccuTile of Hanson
et al., "Speedy-Splat", 2024), so that a long thin Gaussian fills no box. Depth order comes from one sort of
the Gaussians; a counting sort by tile, over parts of that order in parallel, keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import prange

from ds3d_pipeline.programs.jit import Array, inline, parallel
from ds3d_pipeline.scene import Float32, Int32
from ds3d_pipeline.splats.kernels.projection import (
    CONIC_A,
    CONIC_B,
    CONIC_C,
    DEPTH,
    HALF_HEIGHT,
    HALF_WIDTH,
    MEAN_X,
    MEAN_Y,
)

f32 = np.float32
TILE = 16
_PARTS = 32
"""In how many parts the Gaussians are sorted; more than cores, so that uneven parts even out."""


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


def bin_gaussians(projected: Float32, size_wh: tuple[int, int]) -> Tiles:
    """The pairs of projected Gaussians `projected` (N, 12) in a picture of that size."""
    tiles_wh = ((size_wh[0] + TILE - 1) // TILE, (size_wh[1] + TILE - 1) // TILE)
    tiles = tiles_wh[0] * tiles_wh[1]
    visible = np.flatnonzero(projected[:, HALF_WIDTH] > 0)
    order = visible[np.argsort(projected[visible, DEPTH])].astype(np.int32)
    rows = np.zeros((len(order), 2), np.int32)
    _tile_rows(projected, order, tiles_wh[1], rows)
    row_starts = _starts(rows[:, 1])
    spans, counts = np.empty((row_starts[-1], 2), np.int32), np.zeros(len(projected), np.int32)
    histogram = np.zeros((_PARTS, tiles), np.int32)
    _spans(projected, order, rows, row_starts, tiles_wh[0], spans, counts, histogram)
    pair_starts, starts = _starts(counts), _starts(histogram.sum(axis=0))
    cursors = np.cumsum(histogram, axis=0, dtype=np.int32) - histogram + starts[:-1]
    ids, places = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.int32)
    _place(order, rows, row_starts, spans, tiles_wh[0], cursors, pair_starts, ids, places)
    return Tiles(tiles_wh=tiles_wh, ids=ids, starts=starts, pair_starts=pair_starts, pair_places=places)


def _starts(counts: Int32) -> Int32:
    """Where each of several runs begins when they are stored one after the other, and the end of the last."""
    return np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])


@parallel
def _tile_rows(projected: Array, order: Array, tiles_h: int, rows: Array) -> None:
    """The rows of tiles that each visible Gaussian touches.

    projected: (N, 12) float32, projected Gaussians. order: (V,) int32, the visible ones, nearest first.
    tiles_h: rows of tiles. rows: (V, 2) int32, filled with the first row and the number of rows.
    """
    for index in prange(order.shape[0]):
        my, ry = projected[order[index], MEAN_Y], projected[order[index], HALF_HEIGHT]
        first = max(int((my - ry) // TILE), 0)
        rows[index, 0] = first
        rows[index, 1] = max(min(int((my + ry) // TILE), tiles_h - 1) - first + 1, 0)


@parallel
def _spans(
    projected: Array,
    order: Array,
    rows: Array,
    row_starts: Array,
    tiles_w: int,
    spans: Array,
    counts: Array,
    histogram: Array,
) -> None:
    """The columns of tiles that a Gaussian touches in each of its rows of tiles.

    projected, order, rows: as `_tile_rows` had and filled them. tiles_w: tiles in a row.
    row_starts: (V + 1,) int32, where each Gaussian's rows begin in `spans`.
    spans: (R, 2) int32, filled with the columns begin:end. counts: (N,) int32, filled with numbers of tiles.
    histogram: (parts, tiles) int32, counted up: how many Gaussians of each part of the order touch a tile,
    which is what `_place` needs to put every pair where it belongs in one pass.
    """
    for part in prange(_PARTS):
        for index in range(*_part(part, order.shape[0])):
            g = order[index]
            mx, my, a, b, c = (
                projected[g, MEAN_X],
                projected[g, MEAN_Y],
                projected[g, CONIC_A],
                projected[g, CONIC_B],
                projected[g, CONIC_C],
            )
            rx, ry = projected[g, HALF_WIDTH], projected[g, HALF_HEIGHT]
            # a dx^2 + 2 b dx dy + c dy^2 <= level, whose topmost point is at height ry.
            det = a * c - b * b
            level = ry * ry * det / a
            for k in range(rows[index, 1]):
                row = rows[index, 0] + k
                low = max(f32(row * TILE) - my, -ry)
                high = min(f32(row * TILE + TILE) - my, ry)
                # The ellipse's rightmost point is at dy = -rx b / c; within the band, nearest to that.
                right_dy = min(max(-rx * b / c, low), high)
                left_dy = min(max(rx * b / c, low), high)
                right = np.sqrt(max(a * level - det * right_dy * right_dy, f32(0)))
                left = np.sqrt(max(a * level - det * left_dy * left_dy, f32(0)))
                begin = max(int((mx + (-b * left_dy - left) / a) // TILE), 0)
                end = max(min(int((mx + (-b * right_dy + right) / a) // TILE) + 1, tiles_w), begin)
                spans[row_starts[index] + k, 0], spans[row_starts[index] + k, 1] = begin, end
                counts[g] += end - begin
                for column in range(begin, end):
                    histogram[part, row * tiles_w + column] += 1


@parallel
def _place(
    order: Array,
    rows: Array,
    row_starts: Array,
    spans: Array,
    tiles_w: int,
    cursors: Array,
    pair_starts: Array,
    ids: Array,
    places: Array,
) -> None:
    """Pairs by tile, in order within a tile.

    order, rows, row_starts, spans, tiles_w: as `_spans` had and filled them.
    cursors: (parts, tiles) int32, where each part's next pair of a tile goes; moved on.
    pair_starts: (N + 1,) int32, where each Gaussian's part of `places` begins.
    ids: (P,) int32, filled with the Gaussian of each pair.
    places: (P,) int32, filled with the places of each Gaussian's pairs in `ids`.
    """
    for part in prange(_PARTS):
        for index in range(*_part(part, order.shape[0])):
            g = order[index]
            pair = pair_starts[g]
            for k in range(rows[index, 1]):
                tile = (rows[index, 0] + k) * tiles_w
                for column in range(spans[row_starts[index] + k, 0], spans[row_starts[index] + k, 1]):
                    place = cursors[part, tile + column]
                    cursors[part, tile + column] = place + 1
                    ids[place] = g
                    places[pair] = place
                    pair += 1


@inline
def _part(part: int, count: int) -> tuple[int, int]:
    """Begin and end of one of the equal parts of `count`.

    part: its number, from 0. count: what is shared out.
    """
    return part * count // _PARTS, (part + 1) * count // _PARTS
