"""Which faces touch which, and the components that a rule for touching makes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from ds3d_pipeline.scene import Int32


def neighbour_pairs(faces: Int32) -> Int32:
    """(P, 2) faces that share an edge; of an edge with more than two faces, each with the next."""
    edges = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    keys = edges[:, 0].astype(np.int64) * (int(faces.max(initial=0)) + 1) + edges[:, 1]
    order = np.argsort(keys, kind="stable")
    same = keys[order[1:]] == keys[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]], axis=1).astype(np.int32) // 3


def neighbour_lists(pairs: Int32, faces: int) -> tuple[Int32, Int32]:
    """Starts (faces + 1,) and members of each face's neighbours."""
    graph = face_graph(pairs, faces)
    return graph.indptr.astype(np.int32), graph.indices.astype(np.int32)


def face_graph(pairs: Int32, faces: int) -> csr_array:
    """(faces, faces) symmetric: which faces are neighbours."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return coo_array((np.ones(len(both), np.float32), both.T), shape=(faces, faces)).tocsr()


def components(pairs: Int32, faces: int) -> Int32:
    """(faces,) component of each face, numbered from 0."""
    return connected_components(face_graph(pairs, faces), directed=False)[1].astype(np.int32)


def same_label_components(pairs: Int32, labels: NDArray[np.integer]) -> Int32:
    """(F,) component of each face, where neighbours connect only if their labels are equal."""
    joined = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    return components(pairs[joined], len(labels))


def vertex_graph(faces: Int32, vertices: int) -> csr_array:
    """(vertices, vertices) rows that average over a vertex and its neighbours."""
    starts, ends = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    own = np.arange(vertices)
    rows, columns = np.concatenate([starts, ends, own]), np.concatenate([ends, starts, own])
    graph = coo_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(vertices, vertices)).tocsr()
    graph.data[:] = 1
    return (graph.multiply(1 / np.asarray(graph.sum(axis=1)))).tocsr().astype(np.float32)
