"""A surface from oriented points: screened Poisson (Kazhdan and Hoppe 2013) through pycolmap, then trimmed.

Poisson closes every surface, also where nobody looked: what lies far from all points, measured in the local
spacing of the points, is cut away again.
"""

from __future__ import annotations

import logging
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.ply import write_pointcloud
from ds3d_pipeline.mesh.clean import keep_faces, largest_components, sound_faces
from ds3d_pipeline.scene import Float64, Mesh, PointCloud, UInt8

MIN_DEPTH = 5
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrimOptions:
    """How far the surface may reach beyond the points, in units of their local spacing."""

    max_spacings: float = 4.0
    max_edge_spacings: float = 16.0
    """No edge is longer than this: long ones span what no point supports."""
    neighbours: int = 8
    min_component_share: float = 0.02


def poisson_surface(cloud: PointCloud, depth: int) -> Mesh:
    """The closed Poisson surface at octree depth `depth`, lowered where the points are too few for it.

    Raises StageError where Poisson yields no face.
    """
    import pycolmap
    import trimesh

    options = pycolmap.PoissonMeshingOptions()
    options.depth, options.trim, options.color = usable_depth(len(cloud.points_in_world), depth), 0.0, False
    log.info("Poisson at depth %d from %d points", options.depth, len(cloud.points_in_world))
    with tempfile.TemporaryDirectory(prefix="ds3d-poisson-") as folder:
        points, surface = Path(folder) / "points.ply", Path(folder) / "surface.ply"
        write_pointcloud(points, cloud)
        pycolmap.poisson_meshing(points, surface, options)
        loaded = trimesh.load_mesh(surface, process=False) if surface.is_file() else trimesh.Trimesh()
    if not len(loaded.faces):
        cause = f"Poisson reconstruction of {len(cloud.points_in_world)} points yields no surface."
        raise StageError(cause, "Photograph the scene again from more sides.")
    return Mesh(
        vertices_in_world=np.asarray(loaded.vertices, np.float32), faces=np.asarray(loaded.faces, np.int32)
    )


def usable_depth(points: int, depth: int) -> int:
    """An octree depth whose finest cells the points can fill: a surface crosses about 4^depth of them."""
    return max(MIN_DEPTH, min(depth, math.ceil(math.log(max(points, 1), 4)) + 1))


def trimmed(mesh: Mesh, cloud: PointCloud, options: TrimOptions) -> Mesh:
    """The surface near the points, without slivers and crumbs.

    Raises StageError where nothing is left.
    """
    tree = KDTree(cloud.points_in_world)
    spacing = _local_spacing(tree, cloud, options.neighbours)
    distance, nearest = tree.query(mesh.vertices_in_world, workers=-1)
    near = distance <= options.max_spacings * spacing[nearest]
    corners = mesh.vertices_in_world[mesh.faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    local = spacing[nearest][mesh.faces].max(axis=1)
    kept = near[mesh.faces].all(axis=1) & (longest <= np.maximum(options.max_edge_spacings * local, 1e-12))
    if not kept.any():
        cause = f"No part of the surface lies near any of the {len(cloud.points_in_world)} points."
        raise StageError(cause, "Photograph the scene again from more sides.")
    return largest_components(sound_faces(keep_faces(mesh, kept)), options.min_component_share)


def _local_spacing(tree: KDTree, cloud: PointCloud, neighbours: int) -> Float64:
    """(N,) distance to the n-th nearest point: steadier than the nearest alone where points come in pairs."""
    most = min(neighbours + 1, len(cloud.points_in_world))
    distances, _ = tree.query(cloud.points_in_world, k=most, workers=-1)
    spacing = np.asarray(distances)[:, -1]
    # Where doubled points make it nearly zero, the cloud's own scale holds.
    return np.maximum(spacing, 0.1 * np.median(spacing))


def nearest_colors(mesh: Mesh, cloud: PointCloud, neighbours: int = 4) -> UInt8:
    """(V, 3) RGB of the nearest points, weighted by inverse distance."""
    most = min(neighbours, len(cloud.points_in_world))
    tree = KDTree(cloud.points_in_world)
    distances, ids = tree.query(mesh.vertices_in_world, k=most, workers=-1)
    weights = 1 / np.maximum(np.asarray(distances), 1e-12)
    weights /= weights.sum(axis=1, keepdims=True)
    mixed = np.einsum("vk,vkc->vc", weights, cloud.colors[np.asarray(ids)].astype(np.float64))
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)
