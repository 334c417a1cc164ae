"""The mesh with colours at its vertices, small enough to be carried within a page."""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.scene import Float64, Int32, Mesh, UInt8

_NEIGHBOURS = 3
_GREY = 160
_LOOSE = 4
"""Loose triangles have six times the vertices of a closed mesh."""


def light_mesh(mesh: Mesh, max_faces: int) -> Mesh:
    """At most `max_faces` triangles, coloured as the texture is around each vertex.

    Raises ValueError where decimation cannot get there.
    """
    from scipy.spatial import KDTree

    positions, place = np.unique(mesh.vertices_in_world, axis=0, return_inverse=True)
    place = place.reshape(-1).astype(np.int32)
    welded = Mesh(vertices_in_world=positions, faces=place[mesh.faces])
    colors = _mean_at(place, vertex_colors(mesh), len(positions))
    thin = _thin(welded, max_faces)
    _, nearest = KDTree(positions).query(thin.vertices_in_world, k=min(_NEIGHBOURS, len(positions)))
    ids = np.asarray(nearest).reshape(len(thin.vertices_in_world), -1)
    return Mesh(
        vertices_in_world=thin.vertices_in_world,
        faces=thin.faces,
        vertex_colors=np.rint(colors[ids].mean(axis=1)).astype(np.uint8),
    )


def _thin(mesh: Mesh, max_faces: int) -> Mesh:
    """Decimated; loose triangles, which have a corner each for themselves, to so many fewer."""
    from ds3d_pipeline.mesh.surface.decimate import decimate

    thin = decimate(mesh, max_faces)
    return thin if len(thin.vertices_in_world) <= max_faces else decimate(mesh, max_faces // _LOOSE)


def vertex_colors(mesh: Mesh) -> UInt8:
    """(V, 3) RGB: the texture's at each vertex, the vertices' own, or grey where a mesh has neither."""
    if mesh.texture is None or mesh.uvs is None:
        plain = np.full((len(mesh.vertices_in_world), 3), _GREY, np.uint8)
        return plain if mesh.vertex_colors is None else mesh.vertex_colors
    height, width = mesh.texture.shape[:2]
    columns = np.clip((mesh.uvs[:, 0] * width).astype(int), 0, width - 1)
    rows = np.clip(((1 - mesh.uvs[:, 1]) * height).astype(int), 0, height - 1)
    return mesh.texture[rows, columns]


def _mean_at(place: Int32, colors: UInt8, count: int) -> Float64:
    """(count, 3): the mean colour of all vertices at the same place."""
    total = np.stack([np.bincount(place, colors[:, axis], count) for axis in range(3)], axis=1)
    return total / np.bincount(place, minlength=count)[:, None]
