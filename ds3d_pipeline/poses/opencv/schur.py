"""The points eliminated from the normal equations of a bundle adjustment, in numba (Triggs et al. 2000)."""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.programs.jit import EXACT, serial
from ds3d_pipeline.scene import Float64, Int32

UNKNOWNS = 8
"""Of an observation's camera."""


@serial(floats=EXACT)
def reduce_points(
    starts: Int32,
    columns: Int32,
    by_camera: Float64,
    by_point: Float64,
    residuals: Float64,
    damping: float,
    system: Float64,
    right: Float64,
    diagonal: Float64,
) -> tuple[Float64, Float64]:
    """Adds to the lower half of `system`, to `right` and to `diagonal` what is left without the points.

    starts (P + 1,): the observations of point p are rows starts[p] to starts[p + 1]. columns (M, 8): the
    unknowns of each observation's camera; by_camera (M, 2, 8) and by_point (M, 2, 3): derivatives of its
    residuals (M, 2). damping: added to the points' diagonal, relative. system (U, U), right (U,). The
    diagonal of the camera block goes into `diagonal` (U,), for the caller to damp. Returns the points'
    inverse blocks (P, 3, 3) and right sides (P, 3).
    """
    count = len(starts) - 1
    inverses, halves = np.empty((count, 3, 3)), np.zeros((count, 3))
    longest = 0
    for p in range(count):
        longest = max(longest, starts[p + 1] - starts[p])
    mixed, solved = np.empty((longest, UNKNOWNS, 3)), np.empty((longest, UNKNOWNS, 3))
    block = np.empty((3, 3))
    for p in range(count):
        low, high = starts[p], starts[p + 1]
        _point_block(low, high, by_point, residuals, block, halves[p])
        for i in range(3):
            block[i, i] += damping * block[i, i] + 1e-12
        invert(block, inverses[p])
        for m in range(low, high):
            _mix(by_camera[m], by_point[m], inverses[p], mixed[m - low], solved[m - low])
            _add_own(columns[m], by_camera[m], residuals[m], system, right, diagonal)
            for a in range(UNKNOWNS):
                for i in range(3):
                    right[columns[m, a]] -= solved[m - low, a, i] * halves[p, i]
        for m in range(low, high):
            for n in range(low, high):
                _subtract(columns[m], columns[n], solved[m - low], mixed[n - low], system)
    return inverses, halves


@serial(floats=EXACT)
def _point_block(
    low: int, high: int, by_point: Float64, residuals: Float64, block: Float64, half: Float64
) -> None:
    """Fills the point's `block` (3, 3), and its right side `half` (3,) that was zero.

    low, high: its rows of by_point (M, 2, 3) and residuals (M, 2).
    """
    block[:] = 0
    for m in range(low, high):
        for r in range(2):
            for i in range(3):
                half[i] -= by_point[m, r, i] * residuals[m, r]
                for j in range(3):
                    block[i, j] += by_point[m, r, i] * by_point[m, r, j]


@serial(floats=EXACT)
def _mix(by_camera: Float64, by_point: Float64, inverse: Float64, mixed: Float64, solved: Float64) -> None:
    """Fills `mixed` (8, 3), the block between camera and point, and `solved`, it times the point's inverse.

    by_camera (2, 8) and by_point (2, 3): derivatives of one observation; inverse (3, 3).
    """
    for a in range(UNKNOWNS):
        for i in range(3):
            mixed[a, i] = by_camera[0, a] * by_point[0, i] + by_camera[1, a] * by_point[1, i]
        for i in range(3):
            solved[a, i] = (
                mixed[a, 0] * inverse[0, i] + mixed[a, 1] * inverse[1, i] + mixed[a, 2] * inverse[2, i]
            )


@serial(floats=EXACT)
def _add_own(
    columns: Int32,
    by_camera: Float64,
    residual: Float64,
    system: Float64,
    right: Float64,
    diagonal: Float64,
) -> None:
    """Adds one observation to its camera's block, without the point.

    columns (8,): the camera's unknowns, rising; by_camera (2, 8): derivatives of the residual (2,); system
    (U, U), right (U,), diagonal (U,): changed in place.
    """
    for a in range(UNKNOWNS):
        row = columns[a]
        right[row] -= by_camera[0, a] * residual[0] + by_camera[1, a] * residual[1]
        diagonal[row] += by_camera[0, a] ** 2 + by_camera[1, a] ** 2
        # The columns of an observation rise, so this is the lower half.
        for b in range(a):
            system[row, columns[b]] += by_camera[0, a] * by_camera[0, b] + by_camera[1, a] * by_camera[1, b]


@serial(floats=EXACT)
def _subtract(rows: Int32, columns: Int32, solved: Float64, mixed: Float64, system: Float64) -> None:
    """Takes from system (U, U), lower half, what two cameras share by a point.

    rows and columns (8,): the unknowns of the one and of the other; solved (8, 3) of the one, mixed (8, 3) of
    the other, as `_mix` fills them.
    """
    for a in range(UNKNOWNS):
        row = rows[a]
        for b in range(UNKNOWNS):
            if columns[b] <= row:
                system[row, columns[b]] -= (
                    solved[a, 0] * mixed[b, 0] + solved[a, 1] * mixed[b, 1] + solved[a, 2] * mixed[b, 2]
                )


@serial(floats=EXACT)
def invert(m: Float64, out: Float64) -> None:
    """Fills `out` (3, 3) with the inverse of the symmetric matrix m (3, 3) by its cofactors."""
    out[0, 0] = m[1, 1] * m[2, 2] - m[1, 2] * m[1, 2]
    out[0, 1] = m[0, 2] * m[1, 2] - m[0, 1] * m[2, 2]
    out[0, 2] = m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]
    out[1, 1] = m[0, 0] * m[2, 2] - m[0, 2] * m[0, 2]
    out[1, 2] = m[0, 1] * m[0, 2] - m[0, 0] * m[1, 2]
    out[2, 2] = m[0, 0] * m[1, 1] - m[0, 1] * m[0, 1]
    determinant = m[0, 0] * out[0, 0] + m[0, 1] * out[0, 1] + m[0, 2] * out[0, 2]
    for i in range(3):
        for j in range(i, 3):
            out[i, j] /= determinant
            out[j, i] = out[i, j]
