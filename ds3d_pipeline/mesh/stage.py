"""The body of the mesh program."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.formats.gltf import write_glb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.mesh.clean import largest_share
from ds3d_pipeline.mesh.decimate import decimate
from ds3d_pipeline.mesh.maps import refuse_one_map
from ds3d_pipeline.mesh.preview import write_preview
from ds3d_pipeline.mesh.region import region_of_interest
from ds3d_pipeline.mesh.surface import nearest_colors, poisson_surface
from ds3d_pipeline.mesh.texture import textured
from ds3d_pipeline.mesh.trim import TrimOptions, trimmed
from ds3d_pipeline.mesh.visibility import VoteOptions, depth_votes
from ds3d_pipeline.options import MeshOptions
from ds3d_pipeline.pointcloud.cleaning import select
from ds3d_pipeline.program import Work
from ds3d_pipeline.scene import Float64, Mesh, PointCloud, Reconstruction

MIN_POINTS = 50
JPEG_QUALITIES = (92, 85, 75, 60)
log = logging.getLogger(__name__)


def poisson(work: Work[MeshOptions]) -> dict[str, Any]:
    """Meshes INPUT/pointcloud.ply into OUTPUT/model.glb, and shows it in OUTPUT/preview.jpg.

    Raises StageError where the points are too few or carry no surface.
    """
    reconstruction = read_reconstruction(work.input / "sparse")
    refuse_one_map(work.input, reconstruction)
    cloud = read_pointcloud(work.input / "pointcloud.ply")
    _require_points(cloud, work.input, "has only")
    mesh, before = _surface(work, reconstruction, cloud)
    piece = largest_share(mesh)
    mesh, told = _colored(work, reconstruction, cloud, mesh)
    work.progress(0.95, "writing")
    world_from_gltf = write_within(work.output / "model.glb", mesh, work.options.max_megabytes)
    write_preview(work.output / "preview.jpg", mesh, reconstruction.views)
    work.progress(1.0, f"{len(mesh.faces)} faces")
    told |= {"faces_before": before, "largest_piece": piece, "world_from_gltf": world_from_gltf.tolist()}
    return {**_numbers(mesh), **told}


def write_within(path: Path, mesh: Mesh, max_megabytes: float) -> Float64:
    """Writes the mesh with the best JPEG quality that keeps the file under a size; returns world_from_gltf.

    Where even the lowest quality does not, that one stays, and the log says so.
    """
    for quality in JPEG_QUALITIES if mesh.texture is not None else JPEG_QUALITIES[:1]:
        world_from_gltf = write_glb(path, mesh, jpeg_quality=quality)
        if path.stat().st_size <= max_megabytes * 1e6:
            return world_from_gltf
    log.warning("%s has %.1f MB, more than %g", path.name, path.stat().st_size / 1e6, max_megabytes)
    return world_from_gltf


def _surface(work: Work[MeshOptions], reconstruction: Reconstruction, cloud: PointCloud) -> tuple[Mesh, int]:
    """The surface without colours, and how many faces Poisson made."""
    region, options = region_of_interest(cloud.points_in_world), VoteOptions()
    work.progress(0.02, "depth maps vote on the points")
    votes = depth_votes(work.input, reconstruction, cloud.points_in_world, options)
    good = region.holds(cloud.points_in_world) & ~votes.seen_through() & ~votes.narrow(options)
    log.info("%d of %d points kept", good.sum(), len(good))
    cloud = select(cloud, good)
    _require_points(cloud, work.input, "has, after what other views saw through is left out, only")
    work.progress(0.05, "Poisson surface")
    full = poisson_surface(cloud, work.options.poisson_depth)
    work.progress(0.3, f"trimming {len(full.faces)} faces")
    votes = depth_votes(work.input, reconstruction, full.vertices_in_world, options)
    outside = ~region.holds(full.vertices_in_world)
    cut, open_for_sure = votes.seen_through() | outside, votes.clearly_seen_through() | outside
    centres = np.array([view.centre_in_world for view in reconstruction.views])
    surface = trimmed(full, cloud, TrimOptions(), cut, open_for_sure, centres)
    return decimate(surface, work.options.max_faces), len(full.faces)


def _colored(
    work: Work[MeshOptions], reconstruction: Reconstruction, cloud: PointCloud, mesh: Mesh
) -> tuple[Mesh, dict[str, Any]]:
    """The mesh with a texture, or with vertex colours where none is asked for, and what there is to tell."""
    side, part = work.options.texture_px, work.progress.part(0.4, 0.95)
    if not side:
        part(0.0, f"colouring {len(mesh.faces)} faces")
        return replace(mesh, vertex_colors=nearest_colors(mesh, cloud)), {}
    mesh, told = textured(mesh, reconstruction.views, work.input / "images", side, part)
    return mesh, {"texture": asdict(told)}


def _require_points(cloud: PointCloud, folder: Path, what: str) -> None:
    if len(cloud.points_in_world) < MIN_POINTS:
        cause = f"{folder / 'pointcloud.ply'} {what} {len(cloud.points_in_world)} points."
        raise StageError(cause, "Photograph the scene again from more sides.")


def _numbers(mesh: Mesh) -> dict[str, Any]:
    side = 0 if mesh.texture is None else mesh.texture.shape[0]
    return {"vertices": len(mesh.vertices_in_world), "faces": len(mesh.faces), "texture_size": side}
