"""One view's learned depth fitted to what stereo and the sparse points measure in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.correction import CorrectionOptions, corrected
from ds3d_pipeline.depth.disparity import align
from ds3d_pipeline.depth.monocular import Monocular, points_in_map
from ds3d_pipeline.depth.refinement import RefinementOptions, without_ramps
from ds3d_pipeline.scene import DepthMap, Float32, View

MAX_SAMPLES = 4000
"""Pixels of stereo that the scale and shift are fitted to."""


@dataclass(frozen=True, kw_only=True)
class EstimateOptions:
    """What is a hole, what the estimate is fitted to, and where it is believed."""

    sure_confidence: float = 0.5
    """Stereo at least this sure is what the estimate is fitted to."""
    hole_confidence: float = 0.1
    """Less than this is a hole, as is unknown depth."""
    max_error: float = 0.007
    """Mean relative error that the fitted estimate may have at the measured depths around."""
    refinement: RefinementOptions = RefinementOptions(low_quantile=0.0, high_quantile=1.0)
    """The fit bounds what is far out; quantiles would flatten what is nearest and furthest."""
    correction: CorrectionOptions = CorrectionOptions()


def sure_pixels(stereo: DepthMap, options: EstimateOptions) -> NDArray[np.bool_]:
    """(H, W) pixels that count as measured."""
    return (stereo.depth > 0) & (stereo.confidence >= options.sure_confidence)


def hole_pixels(stereo: DepthMap, options: EstimateOptions) -> NDArray[np.bool_]:
    """(H, W) pixels that an estimate may fill."""
    return (stereo.depth <= 0) | (stereo.confidence < options.hole_confidence)


def estimate_holes(monocular: Monocular, view: View, stereo: DepthMap, options: EstimateOptions) -> Float32:
    """(H, W) estimated depth in the holes of a view, 0 elsewhere and where it cannot be believed."""
    nothing = np.zeros_like(stereo.depth)
    disparity = monocular.disparity(view)
    fitted = None if disparity is None else _fitted(monocular, view, stereo, disparity, options)
    if fitted is None:
        return nothing
    bent = corrected(fitted, _inverse(stereo.depth), sure_pixels(stereo, options), options.correction)
    depth = without_ramps(_inverse(bent.inverse_depth), options.refinement)
    good = hole_pixels(stereo, options) & (bent.error <= options.max_error)
    return np.where(good, depth, 0).astype(np.float32)


def _fitted(
    monocular: Monocular, view: View, stereo: DepthMap, disparity: Float32, options: EstimateOptions
) -> Float32 | None:
    """(H, W) inverse depth by one scale and shift; None where points and stereo do not fit the model."""
    row, column, depth = points_in_map(view, monocular.model, stereo.K, disparity.shape)
    sure = np.argwhere(sure_pixels(stereo, options))
    there = sure[:: max(1, len(sure) // MAX_SAMPLES)].T
    x = np.concatenate([disparity[row, column], disparity[there[0], there[1]]]).astype(np.float64)
    y = 1 / np.concatenate([depth, stereo.depth[there[0], there[1]].astype(np.float64)])
    alignment = align(x, y, monocular.options.seed)
    if alignment is None:
        return None
    monocular.alignments.append(alignment)
    # Far behind the furthest measurement, a little shift is all the difference.
    inverse = alignment.scale * disparity + alignment.shift
    return np.where(inverse > y.min() / 2, inverse, 0).astype(np.float32)


def _inverse(values: Float32) -> Float32:
    return np.divide(1, values, out=np.zeros_like(values), where=values > 0)
