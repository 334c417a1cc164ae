"""Holes of stereo, filled with a learned model's depth where that fits what stereo measured.

Each estimate is fitted to the sparse points and to sure stereo depth: one scale and shift, then a smooth
correction. It stays only where that fits around the hole and where other views show the same surface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.learned.alignment import align
from ds3d_pipeline.depth.learned.consensus import DepthStore, ViewDepth, median_depth
from ds3d_pipeline.depth.learned.correction import corrected
from ds3d_pipeline.depth.learned.monocular import Monocular, points_in_map
from ds3d_pipeline.depth.learned.refinement import normals_from_depth, without_ramps
from ds3d_pipeline.depth.options import EstimateOptions, HoleOptions
from ds3d_pipeline.depth.stereo.view_selection import source_views
from ds3d_pipeline.formats.colmap import read_depth_map, write_depth_map
from ds3d_pipeline.scene import DepthMap, Float32, View

MAX_SAMPLES = 4000
"""Pixels of stereo that the scale and shift are fitted to."""


def sure_pixels(stereo: DepthMap, options: EstimateOptions) -> NDArray[np.bool_]:
    """(H, W) pixels that count as measured."""
    return (stereo.depth > 0) & (stereo.confidence >= options.sure_confidence)


def hole_pixels(stereo: DepthMap, options: EstimateOptions) -> NDArray[np.bool_]:
    """(H, W) pixels that an estimate may fill."""
    return (stereo.depth <= 0) | (stereo.confidence < options.hole_confidence)


def estimate_holes(monocular: Monocular, view: View, stereo: DepthMap, options: EstimateOptions) -> Float32:
    """(H, W) estimated depth in the holes of a view, 0 elsewhere and where it is not reliable."""
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


ESTIMATED_CONFIDENCE = 0.1
"""Confidence of estimated depth: as low as that of the worst measured depth that is kept."""
ESTIMATING_FRACTION = 0.8
"""Fraction of the whole time, for the progress."""
Report = Callable[[float, str], object]


@dataclass(frozen=True, kw_only=True)
class FilledFractions:
    """Fractions of the pixels of all maps with certain, uncertain and filled-in depth."""

    coverage: float
    uncertain: float
    estimated: float


@dataclass(kw_only=True)
class HoleFilling:
    """The maps of one capture in `maps`, where stereo wrote them; `scratch` is a folder that this fills.

    `monocular` has the model, the views and the photos.
    """

    monocular: Monocular
    maps: Path
    scratch: Path
    source_views: int
    options: HoleOptions = HoleOptions()

    def fill(self, report: Report = lambda fraction, message: None) -> FilledFractions:
        """Rewrites every map that gets an estimate; returns fractions of the pixels of all maps.

        All estimates are made before the first map changes, so a model that fails leaves stereo as it was.
        """
        views = self.monocular.model.views
        for done, view in enumerate(views, 1):
            stereo = read_depth_map(self.maps, view)
            self._store.put(0, view, estimate_holes(self.monocular, view, stereo, self.options.estimate))
            report(ESTIMATING_FRACTION * done / len(views), f"estimating depth {done} of {len(views)}")
        for round_number in range(self.options.rounds + 1):
            for index, view in enumerate(views):
                last = round_number == self.options.rounds
                self._store.put(
                    round_number + 1,
                    view,
                    self._agreed(index) if last else self._settled(index, round_number),
                )
        fractions = []
        for done, view in enumerate(views, 1):
            fractions.append(self._rewrite(view))
            report(
                ESTIMATING_FRACTION + (1 - ESTIMATING_FRACTION) * done / len(views),
                f"filling holes {done} of {len(views)}",
            )
        coverage, uncertain, estimated = np.mean(fractions, axis=0).tolist()
        return FilledFractions(coverage=coverage, uncertain=uncertain, estimated=estimated)

    @cached_property
    def _store(self) -> DepthStore:
        return DepthStore(self.scratch)

    @cached_property
    def _sources(self) -> list[list[View]]:
        views = self.monocular.model.views
        chosen = source_views(self.monocular.model, self.source_views)
        return [[views[index] for index in sources] for sources in chosen]

    def _completed(self, view: View, round_number: int) -> ViewDepth:
        """A view's stereo depth, with the estimates of one round in its holes."""
        stereo, estimate = read_depth_map(self.maps, view).certain(), self._store.get(round_number, view)
        return ViewDepth(view=view, K=stereo.K, depth=np.where(estimate > 0, estimate, stereo.depth))

    def _estimate(self, view: View, round_number: int) -> ViewDepth:
        return ViewDepth(
            view=view, K=read_depth_map(self.maps, view).K, depth=self._store.get(round_number, view)
        )

    def _settled(self, index: int, round_number: int) -> Float32:
        others = (self._completed(other, round_number) for other in self._sources[index])
        return median_depth(
            self._estimate(self.monocular.model.views[index], round_number), others, self.options.same_surface
        )

    def _agreed(self, index: int) -> Float32:
        """(H, W) the estimates of the last round that enough other views support and fewer see through."""
        here = self._estimate(self.monocular.model.views[index], self.options.rounds)
        row, column, points = here.points()
        agreeing, denying = np.zeros((2, len(points)), np.int32)
        for other in self._sources[index]:
            there, z = self._completed(other, self.options.rounds).at(points)
            agreeing += (there > 0) & (np.abs(there - z) <= self.options.agree * z)
            denying += self._measured(other).at(points)[0] > z * (1 + self.options.behind)
        enough = max(1, min(self.options.min_agreeing, len(self._sources[index])))
        wrong = (agreeing < enough) | (agreeing <= denying)
        here.depth[row[wrong], column[wrong]] = 0
        return here.depth

    def _measured(self, view: View) -> ViewDepth:
        stereo = read_depth_map(self.maps, view)
        return ViewDepth(
            view=view, K=stereo.K, depth=stereo.depth * sure_pixels(stereo, self.options.estimate)
        )

    def _rewrite(self, view: View) -> tuple[float, float, float]:
        """Writes a map; returns the fractions of its pixels with certain, uncertain and estimated depth."""
        stereo, estimate = read_depth_map(self.maps, view), self._store.get(self.options.rounds + 1, view)
        good = estimate > 0
        filled = _with(stereo, good, np.where(good, estimate, stereo.depth))
        if good.any():
            write_depth_map(self.maps, filled)
        known, certain = float(np.mean(filled.depth > 0)), float(np.mean(filled.certain().depth > 0))
        return certain, known - certain, float(np.mean(good))


def _with(stereo: DepthMap, good: NDArray[np.bool_], depth: Float32) -> DepthMap:
    """The map with new depth at the `good` pixels, marked as estimated there."""
    normals = normals_from_depth(depth, stereo.K)
    return replace(
        stereo,
        depth=depth,
        normals=np.where(good[..., None], normals, stereo.normals),
        confidence=np.where(good, np.float32(ESTIMATED_CONFIDENCE), stereo.confidence),
    )
