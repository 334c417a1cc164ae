"""An estimate of depth bent to what is measured around: a smooth correction in place and depth.

The correction is held in a bilateral grid (Chen et al. 2007, "Real-time edge-aware image processing with the
bilateral grid"): what is at another depth does not count, however near it is in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from ds3d_pipeline.depth.options import CorrectionOptions
from ds3d_pipeline.scene import Float32, Float64

KERNEL = ((1.0, 1.0), (2.0, 0.1), (4.0, 0.01))
"""Standard deviations in cells and weights: what is near decides, what is far where nothing is near."""


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """The estimate, and how far it can be trusted."""

    inverse_depth: Float32
    """(H, W); 0 where the estimate was not positive."""
    error: Float32
    """(H, W) mean relative error of the corrected estimate where it was measured, nearby; infinite where
    that is not known."""


def corrected(
    estimate: Float32, measured: Float32, where: NDArray[np.bool_], options: CorrectionOptions
) -> Corrected:
    """Bends an inverse depth (H, W) to the `measured` one (H, W) at the pixels `where` that is known.

    The error is infinite where the estimate is not positive and everywhere if nothing was measured.
    """
    positive, known = estimate > 0, where & (estimate > 0)
    if not known.any():
        return Corrected(inverse_depth=estimate * positive, error=np.full(estimate.shape, np.inf, np.float32))
    change = np.log(np.where(known, measured, 1) / np.where(known, estimate, 1))
    off = np.abs(change - np.median(change[known]))
    deviation = 1.4826 * float(np.median(off[known]))
    used = known & (off <= max(options.max_deviations * deviation, options.always))
    grid = _Grid(estimate, used, options)
    bend = grid.smooth(change)
    error = grid.smooth(np.abs(change - bend))
    agrees = _Grid(estimate, known, options).smooth(used) >= options.min_agreeing
    return Corrected(
        inverse_depth=np.where(positive, estimate * np.exp(bend), 0).astype(np.float32),
        error=np.where(positive & agrees, error, np.inf).astype(np.float32),
    )


class _Grid:
    """Cells over column, row and logarithm of the guide, and the pixels that fill them."""

    def __init__(self, guide: Float32, used: NDArray[np.bool_], options: CorrectionOptions) -> None:
        height, width = guide.shape
        per_px = options.cells / max(height, width)
        logs = np.log(np.maximum(guide, 1e-9 * guide.max()))
        low, high = np.percentile(logs[used], [1, 99])
        level = np.clip((logs - low) / max(high - low, 1e-9), 0, 1) * (options.levels - 1)
        row, column = np.mgrid[:height, :width] * per_px
        self._places = np.stack([row, column, level])
        self._shape = (int(row.max()) + 2, int(column.max()) + 2, options.levels)
        self._used = used
        nearest = np.round(self._places[:, used]).astype(np.intp)
        self._cells = np.ravel_multi_index(tuple(nearest), self._shape)
        self._weight = self._blurred(np.ones(nearest.shape[1]))

    def smooth(self, values: Float64 | Float32) -> Float64:
        """(H, W) mean of the values (H, W) at the used pixels nearby."""
        mean = self._blurred(np.asarray(values, np.float64)[self._used]) / self._weight
        return map_coordinates(mean, self._places, order=1, mode="nearest")

    def _blurred(self, values: Float64) -> Float64:
        total = np.bincount(self._cells, values, minlength=int(np.prod(self._shape))).reshape(self._shape)
        parts = [
            weight * gaussian_filter(total, sigma, mode="constant", truncate=8) for sigma, weight in KERNEL
        ]
        return np.sum(parts, axis=0) + 1e-12 * total.sum()
