"""Adam (Kingma and Ba 2015) over the rows a picture touched, as in Taming 3DGS (Mallick et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import prange

from ds3d_pipeline.programs.jit import Array, Scalar, parallel
from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT

f32 = np.float32
BETA1, BETA2, EPSILON = f32(0.9), f32(0.999), f32(1e-15)
_ONE = f32(1)
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class AdamState:
    """Moments of every row and how often each was updated, which is what its bias correction counts."""

    first: Float32
    second: Float32
    updates: Float32
    """(N,)."""

    def taking(self, index: np.ndarray, fresh: np.ndarray) -> AdamState:
        """The state of rows `index` of the old ones, forgotten where `fresh`."""
        taken = AdamState(first=self.first[index], second=self.second[index], updates=self.updates[index])
        taken.first[fresh] = taken.second[fresh] = taken.updates[fresh] = 0
        return taken


def fresh_state(rows: Float32) -> AdamState:
    """The state before the first step."""
    return AdamState(
        first=np.zeros_like(rows), second=np.zeros_like(rows), updates=np.zeros(len(rows), np.float32)
    )


@parallel
def adam_step(
    rows: Array,
    grads: Array,
    first: Array,
    second: Array,
    updates: Array,
    visible: Array,
    rates: Array,
    opacity_pull: Scalar,
    scale_pull: Scalar,
) -> None:
    """Moves the visible rows in place.

    rows: (N, D) float32, as `parameters` lays them out. grads: (N, D) float32, the pulls are added to it.
    first, second: (N, D) float32, moments, changed in place. updates: (N,) float32, steps so far, likewise.
    visible: (N,) bool, the rows that move. rates: (D,) float32, learning rate of each column.
    opacity_pull, scale_pull: weights of the opacity and of the sum of scales in the loss of each visible
    Gaussian: against floaters and needles (3DGS-MCMC, Kheradmand et al. 2024).
    """
    count, width = rows.shape
    for chunk in prange((count + _CHUNK - 1) // _CHUNK):
        for g in range(chunk * _CHUNK, min(count, (chunk + 1) * _CHUNK)):
            if not visible[g]:
                continue
            opacity = _ONE / (_ONE + np.exp(-rows[g, LOGIT]))
            grads[g, LOGIT] += opacity_pull * opacity * (_ONE - opacity)
            for k in range(LOG_SCALE, LOGIT):
                grads[g, k] += scale_pull * np.exp(rows[g, k])
            updates[g] += _ONE
            bias1 = _ONE / (_ONE - BETA1 ** updates[g])
            bias2 = _ONE / (_ONE - BETA2 ** updates[g])
            for k in range(width):
                grad = grads[g, k]
                m = BETA1 * first[g, k] + (_ONE - BETA1) * grad
                v = BETA2 * second[g, k] + (_ONE - BETA2) * grad * grad
                first[g, k], second[g, k] = m, v
                rows[g, k] -= rates[k] * (m * bias1) / (np.sqrt(v * bias2) + EPSILON)
