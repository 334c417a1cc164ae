"""What there is to see of a finished capture's folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.formats.colmap import model_folder, read_reconstruction
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.formats.splat_ply import read_splat_ply
from ds3d_pipeline.scene import Float64, Gaussians, PointCloud, Reconstruction
from ds3d_pipeline.splats.thinning import thin_splat

T = TypeVar("T")
SPLAT_BUDGET = 250_000
POINT_BUDGET = 500_000
"""More than this makes a browser on an ordinary laptop stutter."""


@dataclass(frozen=True, kw_only=True)
class GlbMesh:
    """The mesh as its file, and where that file's axes and origin are in the world."""

    data: bytes
    world_from_gltf: Float64
    middle_in_world: Float64
    """(3,) of its box."""


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """What was found; a failed capture may lack any of it."""

    name: str
    images: Path
    reconstruction: Reconstruction | None
    mesh: GlbMesh | None
    splat: Gaussians | None
    points: PointCloud | None
    gaussians_in_file: int = 0
    note: str = ""
    """One sentence about it, where it is not finished."""
    picture: Path | None = None
    """What else there is to see of it."""


def find_finished(capture: str, output: Path) -> Path:
    """The folder that CAPTURE names: itself, or a capture below `output`.

    Raises InputError where neither is a finished capture.
    """
    tried = [Path(capture), output / capture]
    for folder in tried:
        if (folder / "metrics.json").is_file():
            return folder
    raise InputError(
        f"There is no finished capture {capture!r}: no metrics.json in {tried[0]} or {tried[1]}.",
        "Give a finished folder, or a capture's name with --output DIR.",
    )


def read_exhibit(folder: Path) -> Exhibit:
    """Reads the files; raises InputError where there is nothing to see, StageError for a damaged file."""
    model = model_folder(folder)
    splat = _if_there(folder / "model.splat.ply", read_splat_ply)
    points = _if_there(folder / "pointcloud.ply", read_pointcloud)
    exhibit = Exhibit(
        name=folder.resolve().name,
        images=folder / "images",
        reconstruction=read_reconstruction(model) if model else None,
        mesh=_if_there(folder / "model.glb", read_mesh),
        splat=None if splat is None else thin_splat(splat, SPLAT_BUDGET),
        points=None if points is None else thin_points(points, POINT_BUDGET),
        gaussians_in_file=0 if splat is None else len(splat.means),
    )
    if not (model or exhibit.mesh or splat is not None or points is not None):
        raise InputError(f"There is nothing to view in {folder}.", "Its report.html says why.")
    return exhibit


def _if_there(path: Path, read: Callable[[Path], T]) -> T | None:
    return read(path) if path.is_file() else None


def read_mesh(path: Path) -> GlbMesh:
    """The mesh as a finished capture and its stage have it."""
    mesh, world_from_gltf = read_glb(path)
    low, high = mesh.vertices_in_world.min(axis=0), mesh.vertices_in_world.max(axis=0)
    middle = (low + high).astype(np.float64) / 2
    return GlbMesh(data=path.read_bytes(), world_from_gltf=world_from_gltf, middle_in_world=middle)


def thin_points(points: PointCloud, budget: int) -> PointCloud:
    """At most `budget` points, taken at random with a fixed seed."""
    count = len(points.points_in_world)
    if count <= budget:
        return points
    kept = np.sort(np.random.default_rng(0).choice(count, budget, replace=False))
    return PointCloud(
        points_in_world=points.points_in_world[kept],
        normals=points.normals[kept],
        colors=points.colors[kept],
    )
