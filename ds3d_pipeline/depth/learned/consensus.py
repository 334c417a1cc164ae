"""What many views' depth maps say of one another's places: agreement, contradiction and the median of all."""

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
REACH = 0.1
"""Relative difference in depth up to which another view speaks of the same surface."""


def settled(
    maps: Iterable[DepthMap], model: Reconstruction, scratch: Path, most_sources: int
) -> Iterator[DepthMap]:
    """The maps of the model's views, every depth the median of what its view and others say of it.

    Each view is compared with up to `most_sources` others; a view that shares too few points with any stays
    as it is. `scratch` is a folder that this fills.
    """
    store, K = DepthStore(scratch), {}
    for view, found in zip(model.views, maps, strict=True):
        store.put(0, view, found.depth)
        K[view.image] = found.K
    for turn in range(ROUNDS):
        _one_round(model, source_views(model, most_sources), store, K, turn)
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
    model: Reconstruction, sources: list[Int32], store: DepthStore, K: dict[str, Float64], turn: int
) -> None:
    def said(view: View) -> Said:
        return Said(view=view, K=K[view.image], depth=store.get(turn, view))

    for view, chosen in zip(model.views, sources, strict=True):
        others = (said(model.views[index]) for index in chosen)
        store.put(turn + 1, view, median_depth(said(view), others, REACH))


@dataclass(frozen=True, kw_only=True)
class Said:
    """One view's depth (H, W), 0 for nothing, as others look into it."""

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

    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Float64]:
        """Rows, columns and points in the world (N, 3) of its pixels that have a depth."""
        row, column = np.nonzero(self.depth)
        in_cam = rays(self.K, self.depth.shape[::-1])[row, column] * self.depth[row, column][:, None]
        return row, column, transform_points(invert_rigid(self.view.cam_from_world), in_cam)


def median_depth(said: Said, others: Iterable[Said], reach: float) -> Float32:
    """(H, W) the view's depths, each the median of what all views say that mean the same surface.

    Another view means the same where its depth is within `reach`, relative, of the point; its surface on its
    own ray through the point counts, as this view sees it.
    """
    row, column, points = said.places()
    words = [said.depth[row, column].astype(np.float64)]
    for other in others:
        there, z = other.at(points)
        same = (there > 0) & (np.abs(there - z) <= reach * z)
        stretch = np.divide(there, z, out=np.ones(len(z)), where=same)[:, None]
        centre = other.view.centre_in_world
        z_here = transform_points(said.view.cam_from_world, centre + (points - centre) * stretch)[:, 2]
        words.append(np.where(same, z_here, np.nan))
    median = np.zeros_like(said.depth)
    median[row, column] = np.nanmedian(words, axis=0)
    return median


class DepthStore:
    """Depths of many views on disk, by round, so that a round sees only what stood before it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, turn: int, view: View, depth: Float32) -> None:
        """Keeps a depth (H, W) of one round."""
        path = self._path(turn, view)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, depth)

    def get(self, turn: int, view: View) -> Float32:
        """What `put` kept; raises FileNotFoundError where it kept nothing."""
        return np.load(self._path(turn, view))

    def _path(self, turn: int, view: View) -> Path:
        return self._folder / str(turn) / f"{view.image}.npy"
