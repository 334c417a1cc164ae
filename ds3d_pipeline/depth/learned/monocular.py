"""Depth of single photos by a learned model (Yang et al. 2024, "Depth Anything V2"), fitted to the points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.learned.alignment import Alignment, align, aligned_depth, assumed_depth
from ds3d_pipeline.depth.learned.network import DepthNetwork
from ds3d_pipeline.depth.learned.refinement import (
    RefinementOptions,
    normalised_disparity,
    normals_from_depth,
    smoothed,
    without_ramps,
)
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.stereo.pyramid import map_size
from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.geometry.cameras import K_scaled, project
from ds3d_pipeline.scene import DepthMap, Float32, Float64, Reconstruction, View

CONFIDENCE = 0.4
"""Below what counts as measured."""
MAX_ERROR_PX = 2.0
Report = Callable[[float, str], object]


@dataclass(kw_only=True)
class Monocular:
    """The maps of one capture's views, one photo at a time; `alignments` fills as they are made."""

    network: DepthNetwork
    model: Reconstruction
    images: Path
    options: DepthOptions
    refinement: RefinementOptions
    alignments: list[Alignment] = field(default_factory=list)

    def maps(self, report: Report = lambda fraction, message: None) -> Iterator[DepthMap]:
        """The map of every view, in order; all zero where the model sees nothing or misfits the points."""
        for index, view in enumerate(self.model.views):
            yield self._map(view)
            report((index + 1) / len(self.model.views), view.image)

    def _map(self, view: View) -> DepthMap:
        size_wh = map_size(view, self.options.max_side_px)
        K = K_scaled(view.K, (size_wh[0] / view.image_size_wh[0], size_wh[1] / view.image_size_wh[1]))
        found = self.disparity(view)
        depth = np.zeros(size_wh[::-1], np.float32) if found is None else self._depth(view, K, found)
        depth = without_ramps(depth, self.refinement)
        return DepthMap(
            image=view.image,
            depth=depth,
            normals=normals_from_depth(depth, K),
            confidence=(CONFIDENCE * (depth > 0)).astype(np.float32),
            K=K,
        )

    def disparity(self, view: View) -> Float32 | None:
        """(H, W) clean disparity in [0, 1] at the size of a view's map; None where it is all the same."""
        photo = read_rgb(self.images / view.image)
        found = normalised_disparity(self.network.disparity(photo), self.refinement)
        if found is None:
            return None
        size_wh = map_size(view, self.options.max_side_px)
        large = cv2.resize(found, size_wh, interpolation=cv2.INTER_LINEAR).astype(np.float32)
        guide = cv2.resize(photo, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8)
        return np.clip(smoothed(large, guide, self.refinement), 0, 1)

    def _depth(self, view: View, K: Float64, disparity: Float32) -> Float32:
        if len(self.model.views) == 1 and not len(self.model.points_in_world):
            return assumed_depth(disparity)
        row, column, depth = points_in_map(view, self.model, K, disparity.shape)
        fitted = align(disparity[row, column].astype(np.float64), 1 / depth, self.options.seed)
        if fitted is None:
            return np.zeros_like(disparity)
        self.alignments.append(fitted)
        return aligned_depth(disparity, fitted, float(np.percentile(depth, 98)))


def points_in_map(
    view: View, model: Reconstruction, K: Float64, shape: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp], Float64]:
    """Rows, columns and depths (N,) of the sparse points that a view observes well, in its map of a shape."""
    ids = view.point_ids[model.errors_px[view.point_ids] <= MAX_ERROR_PX]
    pixels, depth = project(K, view.cam_from_world, model.points_in_world[ids])
    inside = (depth > 0) & (pixels >= 0).all(axis=1) & (pixels < [shape[1], shape[0]]).all(axis=1)
    column, row = pixels[inside].astype(np.intp).T
    return row, column, depth[inside]
