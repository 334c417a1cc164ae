"""Poisson's surface cut down to what was measured.

Poisson closes every surface, also where nothing was captured. Removed is what is far from all points in their
local spacing, what cameras saw through, and what is outside the region of interest. Small holes stay
filled with Poisson's own surface unless they are clearly open.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.mesh.adjacency import components, neighbour_pairs, vertex_graph
from ds3d_pipeline.mesh.options import TrimOptions
from ds3d_pipeline.mesh.surface.components import face_areas, keep_faces, largest_components, sound_faces
from ds3d_pipeline.scene import Float64, Int32, Mesh, PointCloud


def trimmed(
    mesh: Mesh,
    cloud: PointCloud,
    options: TrimOptions,
    cut: NDArray[np.bool_] | None = None,
    open_for_sure: NDArray[np.bool_] | None = None,
    centres: Float64 | None = None,
) -> Mesh:
    """The surface near the points and not where most vertices are `cut` (N,), without slivers and crumbs.

    `centres` (C, 3) are the cameras', without which spacing counts as it is.
    Small holes stay filled that do not border on what is `open_for_sure` (N,), by default all that is cut.
    Raises StageError where nothing is left.
    """
    distance_ratio, short = _relative_distance(mesh, cloud, options, centres)
    graph = vertex_graph(mesh.faces, len(distance_ratio))
    cut = np.zeros(len(distance_ratio), bool) if cut is None else cut
    fields = np.stack(
        [distance_ratio, 2.0 * cut, 2.0 * (cut if open_for_sure is None else open_for_sure)], axis=1
    )
    for _ in range(options.smoothing):
        fields = graph @ fields
    near_points, uncut, closable = np.less_equal(fields, 1)[mesh.faces].all(axis=1).T
    allowed, near = short & closable, short & near_points & uncut
    if not near.any():
        cause = f"No part of the surface is near any of the {len(cloud.points_in_world)} points."
        raise StageError(cause, "Photograph the scene again from more sides.")
    kept = _small_holes_filled(mesh, near, allowed, options.max_hole_fraction)
    return largest_components(sound_faces(keep_faces(mesh, kept)), options.min_component_fraction)


def _relative_distance(
    mesh: Mesh, cloud: PointCloud, options: TrimOptions, centres: Float64 | None
) -> tuple[Float64, NDArray[np.bool_]]:
    """(N,) distance of each vertex to the points over the largest allowed, and (F,) which edges are short."""
    tree = KDTree(cloud.points_in_world)
    spacing = _local_spacing(tree, cloud, options.neighbours)
    if centres is not None:
        away = KDTree(centres).query(cloud.points_in_world)[0]
        spacing = np.minimum(spacing, options.max_sparsity * np.median(spacing / away) * away)
    distance, nearest = tree.query(mesh.vertices_in_world, workers=-1)
    corners = mesh.vertices_in_world[mesh.faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    local = spacing[nearest][mesh.faces].max(axis=1)
    short = longest <= np.maximum(options.max_edge_spacings * local, 1e-12)
    return np.minimum(distance / (options.max_spacings * spacing[nearest]), 2), short


def _small_holes_filled(
    mesh: Mesh, near: NDArray[np.bool_], allowed: NDArray[np.bool_], max_fraction: float
) -> NDArray[np.bool_]:
    """(F,) `near`, and the patches of other allowed faces that are small and enclosed by near ones."""
    pairs = neighbour_pairs(mesh.faces)
    away = ~near & allowed
    patches = components(pairs[away[pairs].all(axis=1)], len(near))
    areas = np.bincount(patches, weights=face_areas(mesh) * away)
    enclosed = ~_touches(pairs, patches, away, ~near & ~allowed)
    small = enclosed & (areas <= max_fraction * face_areas(mesh)[near].sum())
    return near | (away & small[patches])


def _touches(
    pairs: Int32, patches: Int32, away: NDArray[np.bool_], forbidden: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(P,) which patches border on a forbidden face."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    beside = away[both[:, 0]] & forbidden[both[:, 1]]
    touched = np.zeros(int(patches.max()) + 1, bool)
    touched[patches[both[beside, 0]]] = True
    return touched


def _local_spacing(tree: KDTree, cloud: PointCloud, neighbours: int) -> Float64:
    """(N,) distance to the n-th nearest point: steadier than the nearest alone where points come in pairs."""
    most = min(neighbours + 1, len(cloud.points_in_world))
    distances, _ = tree.query(cloud.points_in_world, k=most, workers=-1)
    spacing = np.asarray(distances)[:, -1]
    # Where doubled points make it nearly zero, the cloud's own scale holds.
    return np.maximum(spacing, 0.1 * np.median(spacing))
