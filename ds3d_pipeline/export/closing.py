"""A mesh with open borders as a closed surface, which can be printed: each hole gets a cap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from ds3d_pipeline.scene import Float64, Int32


def close_surface(vertices: Float64, faces: Int32) -> tuple[Float64, Int32]:
    """The vertices (V, 3) and faces (F, 3) of the mesh as one surface of which every edge has two sides.

    Vertices at the same place become one, and faces at an edge with more than two sides go. Each hole is
    closed by triangles around the middle of its border. Without a face that is left, both are empty.
    """
    places, welded = np.unique(vertices, axis=0, return_inverse=True)
    kept = _without_branches(welded.reshape(-1)[faces].astype(np.int32))
    caps: list[Int32] = []
    middles: list[Float64] = []
    for loop in _loops(_open_edges(kept)):
        middle = len(places) + len(middles)
        middles.append(places[loop].mean(axis=0))
        # Against the way that the faces beside the hole go.
        caps.append(np.stack([np.roll(loop, -1), loop, np.full(len(loop), middle)], axis=1).astype(np.int32))
    return np.concatenate([places, *(m[None] for m in middles)]), np.concatenate([kept, *caps])


def _directed_edges(faces: Int32) -> Int32:
    """(3F, 2): the edges of each face, in its order."""
    return np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)


def _without_branches(faces: Int32) -> Int32:
    """Only faces with three corners, of which each edge is used once in each direction."""
    corners = np.sort(faces, axis=1)
    faces = faces[(corners[:, :-1] != corners[:, 1:]).all(axis=1)]
    while len(faces):
        _, place, count = np.unique(_directed_edges(faces), axis=0, return_inverse=True, return_counts=True)
        branching = (count[place.reshape(-1)] > 1).reshape(-1, 3).any(axis=1)
        if not branching.any():
            break
        faces = faces[~branching]
    return faces


def _open_edges(faces: Int32) -> Int32:
    """(E, 2) the directed edges without a face on their other side."""
    edges = _directed_edges(faces).astype(np.int64)
    size = int(faces.max(initial=0)) + 1
    forth, back = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    return edges[~np.isin(forth, back)].astype(np.int32)


def _loops(edges: Int32) -> Iterator[Int32]:
    """The borders, each vertex once: where one touches itself, it is cut into two."""
    ways: dict[int, list[int]] = defaultdict(list)
    for start, end in edges.tolist():
        ways[start].append(end)
    for first in list(ways):
        path, where = [first], {first: 0}
        while ways[path[-1]]:
            following = ways[path[-1]].pop()
            if following in where:
                loop = path[where[following] :]
                yield np.array(loop, np.int32)
                for vertex in loop[1:]:
                    del where[vertex]
                del path[where[following] + 1 :]
            else:
                where[following] = len(path)
                path.append(following)
