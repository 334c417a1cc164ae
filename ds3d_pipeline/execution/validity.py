"""Whether the files that a stage made can be read back, and hold what they must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_array, read_reconstruction
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.formats.splat_ply import read_splat_ply

MOST = 3
"""Faults that are told of one stage."""


def find_faults(stage: str, folder: Path) -> tuple[str, ...]:
    """What is wrong with a stage's files, at most three sentences; none for a stage without a check."""
    look = _LOOKS.get(stage)
    if look is None:
        return ()
    found: list[str] = []
    try:
        for fault in look(folder):
            found.append(fault)
            if len(found) == MOST:
                break
    except (StageError, OSError, ValueError) as error:
        found.append(str(error))
    return tuple(found)


def _poses(folder: Path) -> Iterator[str]:
    model = read_reconstruction(folder / "sparse")
    if not model.views:
        yield "The model places no view."
    if not np.isfinite(model.points_in_world).all():
        yield "Sparse points are not finite."
    for view in model.views:
        if not (np.isfinite(view.cam_from_world).all() and np.isfinite(view.K).all()):
            yield f"The camera of {view.image} is not finite."
        if not (folder / "images" / view.image).is_file():
            yield f"The undistorted image {view.image} is missing."


def _depth_maps(folder: Path) -> Iterator[str]:
    paths = sorted((folder / "depth").glob("*.bin"))
    known = False
    for path in paths:
        depth = read_array(path)
        if not np.isfinite(depth).all() or (depth < 0).any():
            yield f"{path.name} holds depths that are negative or not finite."
        known = known or bool((depth > 0).any())
    if not known:
        yield f"None of the {len(paths)} depth maps holds any depth."


def _pointcloud(folder: Path) -> Iterator[str]:
    cloud = read_pointcloud(folder / "pointcloud.ply")
    if not len(cloud.points_in_world):
        yield "pointcloud.ply is empty."
    if not np.isfinite(cloud.points_in_world).all():
        yield "pointcloud.ply holds points that are not finite."


def _mesh(folder: Path) -> Iterator[str]:
    mesh, _ = read_glb(folder / "model.glb")
    vertices, faces = mesh.vertices_in_world, mesh.faces
    if not np.isfinite(vertices).all():
        yield "model.glb holds vertices that are not finite."
    if not len(faces):
        yield "model.glb has no triangles."
    elif faces.min() < 0 or faces.max() >= len(vertices):
        yield "model.glb has triangles of vertices that do not exist."
    elif not np.ptp(vertices, axis=0).max() > 0:
        yield "model.glb is a single point."


def _splat(folder: Path) -> Iterator[str]:
    splat = read_splat_ply(folder / "splat.ply")
    if not len(splat.means):
        yield "splat.ply has no Gaussians."
    for name, values in vars(splat).items():
        if not np.isfinite(values).all():
            yield f"splat.ply holds {name} that are not finite."


_LOOKS: dict[str, Callable[[Path], Iterator[str]]] = {
    "poses": _poses,
    "depth_maps": _depth_maps,
    "pointcloud": _pointcloud,
    "mesh": _mesh,
    "splat": _splat,
}
