"""Compares the depth maps of many views: agreement, contradiction and the median of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.learned.monocular import CONFIDENCE
from ds3d_pipeline.depth.learned.refinement import normals_from_depth
from ds3d_pipeline.depth.stereo.view_selection import source_views
from ds3d_pipeline.geometry.cameras import project, rays
from ds3d_pipeline.geometry.transforms import invert_rigid, transform_points
from ds3d_pipeline.scene import DepthMap, Float32, Float64, Int32, Reconstruction, View

ROUNDS = 2
TOLERANCE = 0.1
"""Relative difference in depth up to which another view is taken to see the same surface."""


def settled(
    maps: Iterable[DepthMap], model: Reconstruction, scratch: Path, most_sources: int
) -> Iterator[DepthMap]:
    """The maps of the model's views, every depth the median of its own and the other views' values.

    Each view is compared with up to `most_sources` others; a view with too few points in common with any
    stays as it is. `scratch` is a folder that this fills.
    """
    store, K = DepthStore(scratch), {}
    for view, found in zip(model.views, maps, strict=True):
        store.put(0, view, found.depth)
        K[view.image] = found.K
    for round_number in range(ROUNDS):
        _one_round(model, source_views(model, most_sources), store, K, round_number)
    for view in model.views:
        depth = store.get(ROUNDS, view)
        yield DepthMap(
            image=view.image,
            depth=depth,
            normals=normals_from_depth(depth, K[view.image]),
            confidence=(CONFIDENCE * (depth > 0)).astype(np.float32),
            K=K[view.image],
        )


def _one_round(
    model: Reconstruction, sources: list[Int32], store: DepthStore, K: dict[str, Float64], round_number: int
) -> None:
    def depth_of(view: View) -> ViewDepth:
        return ViewDepth(view=view, K=K[view.image], depth=store.get(round_number, view))

    for view, chosen in zip(model.views, sources, strict=True):
        others = (depth_of(model.views[index]) for index in chosen)
        store.put(round_number + 1, view, median_depth(depth_of(view), others, TOLERANCE))


@dataclass(frozen=True, kw_only=True)
class ViewDepth:
    """One view's depth (H, W), 0 for nothing, to be compared with others."""

    view: View
    K: Float64
    depth: Float32

    def at(self, points: Float64) -> tuple[Float64, Float64]:
        """(N,) its depth where it sees points (N, 3), 0 for nothing, and the points' own depth there."""
        pixels, z = project(self.K, self.view.cam_from_world, points)
        height, width = self.depth.shape
        with np.errstate(invalid="ignore"):
            inside = (z > 0) & (pixels >= 0).all(axis=1) & (pixels < [width, height]).all(axis=1)
        there = np.zeros(len(points))
        column, row = pixels[inside].astype(np.intp).T
        there[inside] = self.depth[row, column]
        return there, z

    def points(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Float64]:
        """Rows, columns and points in the world (N, 3) of its pixels that have a depth."""
        row, column = np.nonzero(self.depth)
        in_cam = rays(self.K, self.depth.shape[::-1])[row, column] * self.depth[row, column][:, None]
        return row, column, transform_points(invert_rigid(self.view.cam_from_world), in_cam)


def median_depth(here: ViewDepth, others: Iterable[ViewDepth], tolerance: float) -> Float32:
    """(H, W) the view's depths, each the median over all views that see the same surface.

    Another view supports a point if its depth agrees within `tolerance` (relative); its own surface point,
    reprojected into this view, enters the median.
    """
    row, column, points = here.points()
    depths = [here.depth[row, column].astype(np.float64)]
    for other in others:
        there, z = other.at(points)
        same = (there > 0) & (np.abs(there - z) <= tolerance * z)
        stretch = np.divide(there, z, out=np.ones(len(z)), where=same)[:, None]
        centre = other.view.centre_in_world
        z_here = transform_points(here.view.cam_from_world, centre + (points - centre) * stretch)[:, 2]
        depths.append(np.where(same, z_here, np.nan))
    median = np.zeros_like(here.depth)
    median[row, column] = np.nanmedian(depths, axis=0)
    return median


class DepthStore:
    """Depths of many views on disk, by round, so that a round reads only the round before it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, round_number: int, view: View, depth: Float32) -> None:
        """Stores a depth (H, W) of one round."""
        path = self._path(round_number, view)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, depth)

    def get(self, round_number: int, view: View) -> Float32:
        """The depth that `put` stored; raises FileNotFoundError if there is none."""
        return np.load(self._path(round_number, view))

    def _path(self, round_number: int, view: View) -> Path:
        return self._folder / str(round_number) / f"{view.image}.npy"
