"""A surface from oriented points: screened Poisson (Kazhdan and Hoppe 2013) through pycolmap."""

from __future__ import annotations

import ctypes
import logging
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.ply import write_pointcloud
from ds3d_pipeline.scene import Mesh, PointCloud, UInt8

MIN_DEPTH = 5
log = logging.getLogger(__name__)


def poisson_surface(cloud: PointCloud, depth: int) -> Mesh:
    """The closed Poisson surface at octree depth `depth`, lowered where the points are too few for it.

    Raises StageError where Poisson yields no face.
    """
    import trimesh

    from ds3d_pipeline.programs.colmap_library import pycolmap

    options = pycolmap.PoissonMeshingOptions()
    options.depth, options.trim, options.color = usable_depth(len(cloud.points_in_world), depth), 0.0, False
    # Its threads wait for each other by spinning: on a busy machine two took ten times as long as one.
    options.num_threads = 1
    log.info("Poisson at depth %d from %d points", options.depth, len(cloud.points_in_world))
    with tempfile.TemporaryDirectory(prefix="ds3d-poisson-") as folder:
        points, surface = Path(folder) / "points.ply", Path(folder) / "surface.ply"
        write_pointcloud(points, cloud)
        pycolmap.poisson_meshing(points, surface, options)
        _release_memory()
        loaded = trimesh.load_mesh(surface, process=False) if surface.is_file() else trimesh.Trimesh()
    if not len(loaded.faces):
        cause = f"Poisson reconstruction of {len(cloud.points_in_world)} points yields no surface."
        raise StageError(cause, "Photograph the scene again from more sides.")
    return Mesh(
        vertices_in_world=np.asarray(loaded.vertices, np.float32), faces=np.asarray(loaded.faces, np.int32)
    )


def _release_memory() -> None:
    """Hands freed memory back: glibc keeps what Poisson took, at great depths gigabytes."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def usable_depth(points: int, depth: int) -> int:
    """An octree depth whose finest cells the points can fill: a surface crosses about 4^depth of them."""
    return max(MIN_DEPTH, min(depth, math.ceil(math.log(max(points, 1), 4)) + 1))


def nearest_colors(mesh: Mesh, cloud: PointCloud, neighbours: int = 4) -> UInt8:
    """(V, 3) RGB of the nearest points, weighted by inverse distance."""
    most = min(neighbours, len(cloud.points_in_world))
    tree = KDTree(cloud.points_in_world)
    distances, ids = tree.query(mesh.vertices_in_world, k=most, workers=-1)
    weights = 1 / np.maximum(np.asarray(distances), 1e-12)
    weights /= weights.sum(axis=1, keepdims=True)
    mixed = np.einsum("vk,vkc->vc", weights, cloud.colors[np.asarray(ids)].astype(np.float64))
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)
