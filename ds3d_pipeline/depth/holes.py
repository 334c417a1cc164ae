"""Holes of stereo, filled with a learned model's depth where that fits what stereo measured.

Each estimate is fitted to the sparse points and to sure stereo depth: one scale and shift, then a smooth
correction. It stays only where that fits around the hole and where other views show the same surface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.correction import CorrectionOptions, corrected
from ds3d_pipeline.depth.disparity import align
from ds3d_pipeline.depth.monocular import Monocular, points_in_map
from ds3d_pipeline.depth.refinement import RefinementOptions, normals_from_depth, without_ramps
from ds3d_pipeline.depth.view_selection import source_views
from ds3d_pipeline.formats.colmap import read_depth_map, write_depth_map
from ds3d_pipeline.geometry.cameras import project, rays
from ds3d_pipeline.geometry.transforms import invert_rigid, transform_points
from ds3d_pipeline.scene import DepthMap, Float32, Float64, View

ESTIMATED_CONFIDENCE = 0.1
"""Of depths that a model estimates: less than of any that is measured and kept."""
MAX_SAMPLES = 4000
"""Pixels of stereo that the scale and shift are fitted to."""
ESTIMATING_SHARE = 0.8
"""Of the whole time, for the progress."""
Report = Callable[[float, str], object]


@dataclass(frozen=True, kw_only=True)
class HoleOptions:
    """What is a hole, and which estimates fill it."""

    sure_confidence: float = 0.5
    """Stereo at least this sure is what the estimate is fitted to."""
    hole_confidence: float = 0.1
    """Less than this is a hole, with unknown depth."""
    max_error: float = 0.007
    """Relative error that the fitted estimate may have at the measured depths around."""
    agree: float = 0.01
    """Relative difference in depth within which two views show one surface."""
    behind: float = 0.02
    """Sure stereo of another view this much (relative) behind an estimate looked through it."""
    rounds: int = 2
    """How often every estimate becomes the median of what all views say of its place."""
    reach: float = 0.05
    """Relative difference in depth up to which another view speaks of the same surface."""
    min_agreeing: int = 2
    """Other views that must agree; one is enough where a view has only one source."""
    # Fitting clips what is far out; here quantiles would flatten what is nearest and furthest.
    refinement: RefinementOptions = RefinementOptions(low_quantile=0.0, high_quantile=1.0)
    correction: CorrectionOptions = CorrectionOptions()


@dataclass(kw_only=True)
class HoleFilling:
    """The maps of one capture in `maps`, where stereo wrote them; `scratch` is a folder of its own.

    `monocular` has the model, the views and the photos.
    """

    monocular: Monocular
    maps: Path
    scratch: Path
    source_views: int
    options: HoleOptions = field(default_factory=HoleOptions)

    def fill(self, report: Report = lambda fraction, message: None) -> dict[str, Any]:
        """Rewrites every map that gets an estimate; returns shares of the pixels of all maps.

        All estimates are made before the first map changes, so a model that fails leaves stereo as it was.
        """
        self.monocular.refinement = self.options.refinement
        views = self.monocular.model.views
        self.scratch.mkdir(parents=True, exist_ok=True)
        for done, view in enumerate(views, 1):
            np.save(self._file(view), self._candidate(view))
            report(ESTIMATING_SHARE * done / len(views), f"estimating {view.image}")
        sources = source_views(self.monocular.model, self.source_views)
        groups = [(view, [views[i] for i in sources[n]]) for n, view in enumerate(views)]
        for _ in range(self.options.rounds):
            self._reconcile(groups)
        kept = [self._agreed(view, others) for view, others in groups]
        known = []
        for done, (view, good) in enumerate(zip(views, kept, strict=True), 1):
            known.append(self._rewrite(view, good))
            report(ESTIMATING_SHARE + (1 - ESTIMATING_SHARE) * done / len(views), f"filling {view.image}")
        estimated = [float(np.mean(good)) for good in kept]
        return {"coverage": float(np.mean(known)), "estimated": float(np.mean(estimated))}

    def _file(self, view: View) -> Path:
        return self.scratch / f"{view.image}.npy"

    def _candidate(self, view: View) -> Float32:
        """(H, W) estimated depth in the holes of a view, 0 elsewhere and where it is not to be trusted."""
        stereo = read_depth_map(self.maps, view)
        disparity = self.monocular.disparity(view)
        nothing = np.zeros_like(stereo.depth)
        fitted = None if disparity is None else self._fitted(view, stereo, disparity)
        if disparity is None or fitted is None:
            return nothing
        measured = np.divide(1, stereo.depth, out=nothing.copy(), where=stereo.depth > 0)
        bent = corrected(fitted, measured, self._sure(stereo), self.options.correction)
        depth = np.divide(1, bent.inverse_depth, out=nothing.copy(), where=bent.inverse_depth > 0)
        depth = without_ramps(depth, self.options.refinement)
        good = self._hole(stereo) & (bent.error <= self.options.max_error)
        return np.where(good, depth, 0).astype(np.float32)

    def _fitted(self, view: View, stereo: DepthMap, disparity: Float32) -> Float32 | None:
        """(H, W) inverse depth by one scale and shift; None where points and stereo do not fit the model."""
        row, column, depth = points_in_map(view, self.monocular.model, stereo.K, disparity.shape)
        sure = np.argwhere(self._sure(stereo))
        there = sure[:: max(1, len(sure) // MAX_SAMPLES)].T
        x = np.concatenate([disparity[row, column], disparity[there[0], there[1]]]).astype(np.float64)
        y = 1 / np.concatenate([depth, stereo.depth[there[0], there[1]].astype(np.float64)])
        fitted = align(x, y, self.monocular.options.seed)
        if fitted is None:
            return None
        self.monocular.alignments.append(fitted)
        # Far behind the furthest measurement, a little shift is all the difference.
        inverse = fitted.scale * disparity + fitted.shift
        return np.where(inverse > y.min() / 2, inverse, 0).astype(np.float32)

    def _sure(self, stereo: DepthMap) -> NDArray[np.bool_]:
        return (stereo.depth > 0) & (stereo.confidence >= self.options.sure_confidence)

    def _hole(self, stereo: DepthMap) -> NDArray[np.bool_]:
        return (stereo.depth <= 0) | (stereo.confidence < self.options.hole_confidence)

    def _completed(self, view: View) -> tuple[DepthMap, Float32]:
        """A view's stereo map, and its depth (H, W) with the candidates in the holes."""
        stereo, candidate = read_depth_map(self.maps, view), np.load(self._file(view))
        return stereo, np.where(candidate > 0, candidate, stereo.depth)

    def _reconcile(self, groups: list[tuple[View, list[View]]]) -> None:
        """One round: every candidate becomes the median of what all views say of its place."""
        medians = [self._median_of_all(view, others) for view, others in groups]
        for (view, _), median in zip(groups, medians, strict=True):
            np.save(self._file(view), median)

    def _median_of_all(self, view: View, others: list[View]) -> Float32:
        candidate = np.load(self._file(view))
        row, column, points = self._places(view, candidate)
        said = [candidate[row, column].astype(np.float64)]
        for other in others:
            stereo, depth = self._completed(other)
            there, z = _seen_at(depth, stereo.K, other, points)
            near = (there > 0) & (np.abs(there - z) <= self.options.reach * z)
            # The other view's surface on its ray through the point, as this view sees it.
            stretch = np.divide(there, z, out=np.ones(len(z)), where=near)[:, None]
            moved = other.centre_in_world + (points - other.centre_in_world) * stretch
            z_here = transform_points(view.cam_from_world, moved)[:, 2]
            said.append(np.where(near, z_here, np.nan))
        median = np.zeros_like(candidate)
        median[row, column] = np.nanmedian(said, axis=0)
        return median

    def _places(self, view: View, candidate: Float32) -> tuple[NDArray[np.intp], NDArray[np.intp], Float64]:
        """Rows, columns and points in the world (N, 3) of a view's candidates."""
        row, column = np.nonzero(candidate)
        K = read_depth_map(self.maps, view).K
        in_cam = rays(K, candidate.shape[::-1])[row, column] * candidate[row, column][:, None]
        return row, column, transform_points(invert_rigid(view.cam_from_world), in_cam)

    def _agreed(self, view: View, others: list[View]) -> NDArray[np.bool_]:
        """(H, W) candidates that enough other views show, and fewer look through."""
        candidate = np.load(self._file(view))
        agreeing, denying = np.zeros((2, *candidate.shape), np.int32)
        row, column, points = self._places(view, candidate)
        for other in others:
            stereo, depth = self._completed(other)
            there, z = _seen_at(depth, stereo.K, other, points)
            sure = _seen_at(np.where(self._sure(stereo), stereo.depth, 0), stereo.K, other, points)[0]
            agreeing[row, column] += (there > 0) & (np.abs(there - z) <= self.options.agree * z)
            denying[row, column] += sure > z * (1 + self.options.behind)
        enough = agreeing >= max(1, min(self.options.min_agreeing, len(others)))
        return (candidate > 0) & enough & (agreeing > denying)

    def _rewrite(self, view: View, good: NDArray[np.bool_]) -> float:
        """Writes a view's map with the good candidates; returns the share of pixels that have a depth."""
        stereo, completed = self._completed(view)
        depth = np.where(good, completed, stereo.depth)
        normals = normals_from_depth(completed, stereo.K)
        confidence = np.where(good, np.float32(ESTIMATED_CONFIDENCE), stereo.confidence)
        filled = replace(
            stereo,
            depth=depth.astype(np.float32),
            normals=np.where(good[..., None], normals, stereo.normals).astype(np.float32),
            confidence=confidence.astype(np.float32),
        )
        if good.any():
            write_depth_map(self.maps, filled)
        return float(np.mean(filled.depth > 0))


def _seen_at(depth: Float32, K: Float64, view: View, points: Float64) -> tuple[Float64, Float64]:
    """(N,) depth of a view's map where it sees points (N, 3), 0 for nothing, and the points' own depth."""
    pixels, z = project(K, view.cam_from_world, points)
    height, width = depth.shape
    with np.errstate(invalid="ignore"):
        inside = (z > 0) & (pixels >= 0).all(axis=1) & (pixels < [width, height]).all(axis=1)
    there = np.zeros(len(points))
    column, row = pixels[inside].astype(np.intp).T
    there[inside] = depth[row, column]
    return there, z
