"""The 3D smoothing filter of Mip-Splatting (Yu et al. 2024): no Gaussian finer than any photo can show.

Each Gaussian is widened by a fifth of a pixel of the photo that shows it largest and made fainter by the
volume it gains. The result is an ordinary splat, so the file needs no word about it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import prange

from ds3d_pipeline.programs.jit import Array, parallel
from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT
from ds3d_pipeline.splats.kernels.projection import NEAR
from ds3d_pipeline.splats.training.photos import Photo

_PIXELS2 = 0.2
"""Variance of the filter in pixels squared (Mip-Splatting, section 6)."""
_MARGIN = 0.15
f32 = np.float32
ONE, HALF, TWO, TINY, MOST_LOGIT = f32(1), f32(0.5), f32(2), f32(1e-30), f32(30)


def filter_variance(means: Float32, photos: Sequence[Photo]) -> Float32:
    """(N,) variance to add along every axis, scene units squared; that of the coarsest where nobody sees."""
    finest = np.full(len(means), np.inf)
    for photo in photos:
        R, t = photo.cam_from_world[:3, :3], photo.cam_from_world[:3, 3]
        x, y, z = (means @ R.T + t).T
        height, width = photo.pixels.shape[:2]
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = photo.K[0, 0] * x / z + photo.K[0, 2], photo.K[1, 1] * y / z + photo.K[1, 2]
        inside = (z > NEAR) & (np.abs(u / width - 0.5) < 0.5 + _MARGIN)
        inside &= np.abs(v / height - 0.5) < 0.5 + _MARGIN
        finest[inside] = np.minimum(finest[inside], z[inside] / photo.K[0, 0])
    seen = np.isfinite(finest)
    finest[~seen] = finest[seen].max() if seen.any() else 0.0
    return (_PIXELS2 * finest**2).astype(np.float32)


@parallel
def filtered(rows: Array, variance: Array, out: Array) -> None:
    """Fills `out` with the widened and fainter rows (N, D).

    rows: float32, as `parameters` lays them out. variance: (N,) float32, scene units squared.
    """
    for g in prange(rows.shape[0]):
        kept = ONE
        out[g] = rows[g]
        for k in range(LOG_SCALE, LOGIT):
            own = max(np.exp(TWO * rows[g, k]), TINY)
            kept *= np.sqrt(own / (own + variance[g]))
            out[g, k] = HALF * np.log(own + variance[g])
        # The logit of kept * sigmoid(logit), written so that it neither overflows nor cancels.
        out[g, LOGIT] = np.log(kept) - np.log(np.exp(-rows[g, LOGIT]) + (ONE - kept))


@parallel
def filtered_backward(rows: Array, variance: Array, out: Array, grads: Array) -> None:
    """Turns derivatives by the filtered rows into those by the rows themselves.

    rows: (N, D) float32, as `parameters` lays them out. variance: (N,) float32, scene units squared.
    out: (N, D) float32, the filtered rows. grads: (N, D) float32, changed in place.
    """
    for g in prange(rows.shape[0]):
        by_log_opacity = grads[g, LOGIT] * (ONE + np.exp(min(out[g, LOGIT], MOST_LOGIT)))
        for k in range(LOG_SCALE, LOGIT):
            own = max(np.exp(TWO * rows[g, k]), TINY)
            share = own / (own + variance[g])
            grads[g, k] = grads[g, k] * share + by_log_opacity * (ONE - share)
        grads[g, LOGIT] = by_log_opacity / (ONE + np.exp(min(rows[g, LOGIT], MOST_LOGIT)))
