"""The body of the mesh program."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.formats.gltf import write_glb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.mesh.decimate import decimate
from ds3d_pipeline.mesh.maps import refuse_one_map
from ds3d_pipeline.mesh.preview import write_preview
from ds3d_pipeline.mesh.surface import TrimOptions, nearest_colors, poisson_surface, trimmed
from ds3d_pipeline.options import MeshOptions
from ds3d_pipeline.program import Work
from ds3d_pipeline.scene import Mesh

MIN_POINTS = 50
log = logging.getLogger(__name__)


def poisson(work: Work[MeshOptions]) -> dict[str, Any]:
    """Meshes INPUT/pointcloud.ply into OUTPUT/model.glb, and shows it in OUTPUT/preview.jpg.

    Raises StageError where the points are too few or carry no surface.
    """
    reconstruction = read_reconstruction(work.input / "sparse")
    refuse_one_map(work.input, reconstruction)
    cloud = read_pointcloud(work.input / "pointcloud.ply")
    if len(cloud.points_in_world) < MIN_POINTS:
        cause = f"{work.input / 'pointcloud.ply'} has only {len(cloud.points_in_world)} points."
        raise StageError(cause, "Photograph the scene again from more sides.")
    work.progress(0.05, "Poisson surface")
    full = poisson_surface(cloud, work.options.poisson_depth)
    work.progress(0.5, f"trimming {len(full.faces)} faces")
    mesh = decimate(trimmed(full, cloud, TrimOptions()), work.options.max_faces)
    work.progress(0.8, f"colouring {len(mesh.faces)} faces")
    mesh = replace(mesh, vertex_colors=nearest_colors(mesh, cloud))
    world_from_gltf = write_glb(work.output / "model.glb", mesh)
    write_preview(work.output / "preview.jpg", mesh, reconstruction.views)
    work.progress(1.0, f"{len(mesh.faces)} faces")
    return {**_numbers(mesh), "faces_before": len(full.faces), "world_from_gltf": world_from_gltf.tolist()}


def _numbers(mesh: Mesh) -> dict[str, Any]:
    side = 0 if mesh.texture is None else mesh.texture.shape[0]
    return {"vertices": len(mesh.vertices_in_world), "faces": len(mesh.faces), "texture_size": side}
