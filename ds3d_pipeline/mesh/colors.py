"""Colours at the vertices of a mesh: spread from where they are known to where they are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ds3d_pipeline.mesh.adjacency import vertex_graph
from ds3d_pipeline.scene import Float32, Mesh


def spread(mesh: Mesh, colors: Float32, known: NDArray[np.bool_], *, smoothing: int = 10) -> Float32:
    """(N, 3) colours: the known ones as they are, the others averaged ring by ring from their neighbours.

    Vertices with no way along edges to a known one take the nearest known one's. Raises ValueError where
    no colour is known.
    """
    if not known.any():
        raise ValueError("no vertex has a known colour")
    graph = vertex_graph(mesh.faces, len(colors))
    found, reached = np.where(known[:, None], colors, 0).astype(np.float32), known.copy()
    while True:
        weight = graph @ reached.astype(np.float32)
        fresh = ~reached & (weight > 0)
        if not fresh.any():
            break
        found[fresh] = (graph[fresh] @ found) / weight[fresh, None]
        reached |= fresh
    if not reached.all():
        _, nearest = KDTree(mesh.vertices_in_world[reached]).query(mesh.vertices_in_world[~reached])
        found[~reached] = found[reached][nearest]
    for _ in range(smoothing):
        found[~known] = (graph[~known] @ found) if (~known).any() else found[~known]
    return found
