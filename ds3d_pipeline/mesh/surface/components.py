"""Meshes made sound: no degenerate or doubled face, no crumbs, no vertex without a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ds3d_pipeline.scene import Float64, Int32, Mesh

MIN_RELATIVE_HEIGHT = 1e-4
"""A triangle lower than this times its longest side is a sliver: it has no normal worth the name."""


def keep_faces(mesh: Mesh, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Mesh:
    """The chosen faces, and only the vertices that they use."""
    faces = mesh.faces[chosen]
    used, compact = np.unique(faces, return_inverse=True)
    return Mesh(
        vertices_in_world=mesh.vertices_in_world[used],
        faces=compact.reshape(-1, 3).astype(np.int32),
        vertex_colors=None if mesh.vertex_colors is None else mesh.vertex_colors[used],
        uvs=None if mesh.uvs is None else mesh.uvs[used],
        texture=mesh.texture,
    )


def face_areas(mesh: Mesh) -> Float64:
    """(F,) areas in square scene units."""
    corners = mesh.vertices_in_world[mesh.faces].astype(np.float64)
    edges = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.linalg.norm(edges, axis=1) / 2


def sound_faces(mesh: Mesh) -> Mesh:
    """Drops degenerate faces, slivers, faces with a NaN and doubles of a face (in either winding)."""
    corners = mesh.vertices_in_world[mesh.faces].astype(np.float64)
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    height = 2 * face_areas(mesh) / np.maximum(longest, 1e-300)
    good = np.isfinite(corners).all(axis=(1, 2)) & (height > MIN_RELATIVE_HEIGHT * longest)
    _, first = np.unique(np.sort(mesh.faces, axis=1), axis=0, return_index=True)
    single = np.zeros(len(mesh.faces), bool)
    single[first] = True
    return keep_faces(mesh, good & single)


def face_components(mesh: Mesh) -> Int32:
    """(F,) number of the connected component of each face; faces connect through a common vertex."""
    starts, ends = mesh.faces.reshape(-1), np.roll(mesh.faces, 1, axis=1).reshape(-1)
    count = len(mesh.vertices_in_world)
    edges = coo_matrix((np.ones(len(starts), bool), (starts, ends)), shape=(count, count))
    _, labels = connected_components(edges, directed=False)
    return labels[mesh.faces[:, 0]].astype(np.int32)


def largest_components(mesh: Mesh, min_fraction: float = 0.02) -> Mesh:
    """Drops components whose area is under `min_fraction` of the largest component's."""
    labels = face_components(mesh)
    areas = np.bincount(labels, weights=face_areas(mesh))
    return keep_faces(mesh, (areas >= min_fraction * areas.max())[labels])


def largest_fraction(mesh: Mesh) -> float:
    """Share of the surface's area that is in its largest connected component."""
    areas = np.bincount(face_components(mesh), weights=face_areas(mesh))
    return round(float(areas.max() / areas.sum()), 4)
