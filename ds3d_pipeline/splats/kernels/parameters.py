"""One row of float32 per Gaussian: everything that is trained, in one matrix.

Columns: mean 0:3, quaternion wxyz 3:7, log scales 7:10, opacity logit 10, then the spherical harmonics
coefficient by coefficient, RGB within each. Moving, copying or dropping Gaussians is one index into the
matrix and into its optimiser state of the same shape.
"""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.scene import Float32, Gaussians

MEAN, QUAT, LOG_SCALE, LOGIT, SH = 0, 3, 7, 10, 11


def rows_from_gaussians(gaussians: Gaussians, sh_degree: int) -> Float32:
    """(N, 11 + 3 (sh_degree + 1)^2); missing harmonics are zero, those above the degree are dropped."""
    count, width = len(gaussians.means), (sh_degree + 1) ** 2
    coeffs = np.zeros((count, width, 3), np.float32)
    shared = min(width, gaussians.sh_coeffs.shape[1])
    coeffs[:, :shared] = gaussians.sh_coeffs[:, :shared]
    parts = (
        gaussians.means,
        gaussians.quats_wxyz,
        gaussians.log_scales,
        gaussians.opacity_logits[:, None],
        coeffs.reshape(count, -1),
    )
    return np.concatenate(parts, axis=1).astype(np.float32)


def gaussians_from_rows(rows: Float32) -> Gaussians:
    """The record of a matrix of rows, its quaternions made unit."""
    quats = rows[:, QUAT:LOG_SCALE]
    return Gaussians(
        means=rows[:, MEAN:QUAT].copy(),
        quats_wxyz=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        log_scales=rows[:, LOG_SCALE:LOGIT].copy(),
        opacity_logits=rows[:, LOGIT].copy(),
        sh_coeffs=rows[:, SH:].reshape(len(rows), (rows.shape[1] - SH) // 3, 3).copy(),
    )
