"""Estimated depth maps of many views, made consistent with one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ds3d_pipeline.depth.consensus import DepthStore, Said, median_depth
from ds3d_pipeline.depth.monocular import CONFIDENCE
from ds3d_pipeline.depth.refinement import normals_from_depth
from ds3d_pipeline.depth.view_selection import source_views
from ds3d_pipeline.scene import DepthMap, Float64, Int32, Reconstruction, View

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
