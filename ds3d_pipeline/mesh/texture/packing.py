"""Rectangles packed into a square: the skyline heuristic, bottom-left (Jylänki 2010)."""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.programs.jit import EXACT, serial
from ds3d_pipeline.scene import Int32


def pack(sizes_wh: Int32, side: int) -> Int32 | None:
    """(N, 2) left and top of rectangles (N, 2) in a square of `side`, or None where they do not fit."""
    if len(sizes_wh) and (sizes_wh.max() > side or (sizes_wh.astype(np.int64).prod(axis=1)).sum() > side**2):
        return None
    order = np.lexsort((-sizes_wh[:, 0], -sizes_wh[:, 1])).astype(np.int32)
    places = np.zeros((len(sizes_wh), 2), np.int32)
    return places if _pack(sizes_wh.astype(np.int32), order, side, places) else None


@serial(floats=EXACT)
def _pack(sizes: Int32, order: Int32, side: int, places: Int32) -> bool:
    """The skyline is a list of steps: where each starts, how high it is; each rectangle goes lowest.

    sizes (N, 2) are widths and heights, taken in `order` (N,) into a square of `side`; places (N, 2) gets
    left and top. Returns whether all fit.
    """
    left, top = np.zeros(side + 1, np.int32), np.zeros(side + 1, np.int32)
    steps = 1
    left[1] = side
    for item in order:
        width, height = sizes[item]
        best, best_top = -1, side + 1
        for step in range(steps):
            if left[step] + width > side:
                break
            level, k = top[step], step
            while k < steps and left[k] < left[step] + width:
                level = max(level, top[k])
                k += 1
            if level < best_top:
                best, best_top = step, level
        if best < 0 or best_top + height > side:
            return False
        places[item, 0], places[item, 1] = left[best], best_top
        steps = _raise(left, top, steps, best, left[best] + width, best_top + height)
    return True


@serial(floats=EXACT)
def _raise(left: Int32, top: Int32, steps: int, first: int, right: int, level: int) -> int:
    """Replaces the skyline from step `first` to column `right` by one step; returns the number of steps.

    left and top (side + 1,): first column and height of each of the `steps` steps, changed in place; level is
    the height of the new one.
    """
    last = first
    while left[last + 1] < right:
        last += 1
    keep = left[last + 1] > right
    tail_top = top[last]
    shift = (1 if keep else 0) - (last - first)
    if shift > 0:
        for k in range(steps, last, -1):
            left[k + shift] = left[k]
            top[k + shift] = top[k]
    elif shift < 0:
        for k in range(last + 1, steps + 1):
            left[k + shift] = left[k]
            top[k + shift] = top[k]
    top[first] = level
    if keep:
        left[first + 1], top[first + 1] = right, tail_top
    return steps + shift
