"""The body of the mesh program."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_depth_map, read_reconstruction
from ds3d_pipeline.formats.gltf import write_glb
from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.mesh.options import MeshOptions
from ds3d_pipeline.mesh.preview import write_preview
from ds3d_pipeline.mesh.relief import relief
from ds3d_pipeline.mesh.report import MeshReport, TextureReport
from ds3d_pipeline.mesh.surface.components import largest_fraction
from ds3d_pipeline.mesh.surface.decimate import decimate
from ds3d_pipeline.mesh.surface.free_space import free_space_evidence
from ds3d_pipeline.mesh.surface.poisson import nearest_colors, poisson_surface
from ds3d_pipeline.mesh.surface.region import region_of_interest
from ds3d_pipeline.mesh.surface.trim import trimmed
from ds3d_pipeline.mesh.texture.texture import textured
from ds3d_pipeline.pointcloud.cleaning import select
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.words import plural
from ds3d_pipeline.scene import DepthMap, Mesh, PointCloud, Reconstruction, View


def relief_of_best_view(work: Work[MeshOptions]) -> MeshReport:
    """Lifts the photo of the view with the most depth into OUTPUT/model.glb, shown in OUTPUT/preview.jpg.

    With one view the camera is at the origin of the GLB and looks along -Z. Raises StageError where no view
    has a surface.
    """
    reconstruction = read_reconstruction(work.input / "sparse")
    view, depth = best_map(work.input, reconstruction)
    photo = read_rgb(work.input / "images" / view.image)
    work.progress(0.1, "triangulating one view")
    mesh = relief(view, depth, photo, work.options.max_faces, work.options.relief)
    work.progress(0.9, f"{plural(len(mesh.faces), 'triangle')}")
    write_glb(work.output / "model.glb", mesh)
    write_preview(work.output / "preview.jpg", mesh, [view])
    work.progress(1.0, f"{plural(len(mesh.faces), 'triangle')}")
    return MeshReport(
        vertices=len(mesh.vertices_in_world),
        faces=len(mesh.faces),
        texture_size=_texture_size(mesh),
        view=view.image,
    )


def mapped_views(folder: Path, reconstruction: Reconstruction) -> list[View]:
    """The views that have a depth map in INPUT."""
    return [view for view in reconstruction.views if (folder / "depth" / f"{view.image}.bin").is_file()]


def refuse_one_map(folder: Path, reconstruction: Reconstruction) -> None:
    """Raises StageError where a single view has depth: closing a surface around it would make up its back."""
    if len(mapped_views(folder, reconstruction)) == 1:
        cause = "Only one view has depth, which is not enough for a closed surface."
        raise StageError(cause, "Photograph the scene from more sides.")


def best_map(folder: Path, reconstruction: Reconstruction) -> tuple[View, DepthMap]:
    """The view whose map knows most, each pixel weighted by its confidence; the first of equals.

    Raises StageError where no view has a map.
    """
    views = mapped_views(folder, reconstruction)
    if not views:
        raise StageError(f"{folder} has no depth map.", "Run depth_maps again.")
    best, known = views[0], -1.0
    for view in views:
        found = read_depth_map(folder, view)
        if (sure := float(found.confidence[found.depth > 0].sum())) > known:
            best, known = view, sure
    return best, read_depth_map(folder, best).certain()


MIN_POINTS = 50
JPEG_QUALITIES = (92, 85, 75, 60)
log = logging.getLogger(__name__)


def poisson(work: Work[MeshOptions]) -> MeshReport:
    """Meshes INPUT/pointcloud.ply into OUTPUT/model.glb, and shows it in OUTPUT/preview.jpg.

    Raises StageError where the points are too few or carry no surface.
    """
    reconstruction = read_reconstruction(work.input / "sparse")
    refuse_one_map(work.input, reconstruction)
    cloud = read_pointcloud(work.input / "pointcloud.ply")
    _require_points(cloud, work.input, "has only")
    mesh, before = _surface(work, reconstruction, cloud)
    piece = largest_fraction(mesh)
    mesh, texture = _colored(work, reconstruction, cloud, mesh)
    work.progress(0.95, "writing")
    write_within(work.output / "model.glb", mesh, work.options.max_megabytes)
    write_preview(work.output / "preview.jpg", mesh, reconstruction.views)
    work.progress(1.0, f"{plural(len(mesh.faces), 'triangle')}")
    return MeshReport(
        vertices=len(mesh.vertices_in_world),
        faces=len(mesh.faces),
        texture_size=_texture_size(mesh),
        faces_before=before,
        largest_piece=piece,
        texture=texture,
    )


def write_within(path: Path, mesh: Mesh, max_megabytes: float) -> None:
    """Writes the mesh with the best JPEG quality that keeps the file under a size.

    If even the lowest quality does not, it is used, and a warning is logged.
    """
    for quality in JPEG_QUALITIES if mesh.texture is not None else JPEG_QUALITIES[:1]:
        write_glb(path, mesh, jpeg_quality=quality)
        if path.stat().st_size <= max_megabytes * 1e6:
            return
    log.warning("%s has %.1f MB, more than %g", path.name, path.stat().st_size / 1e6, max_megabytes)


def _surface(work: Work[MeshOptions], reconstruction: Reconstruction, cloud: PointCloud) -> tuple[Mesh, int]:
    """The surface without colours, and how many faces Poisson made."""
    region, options = region_of_interest(cloud.points_in_world), work.options.free_space
    work.progress(0.02, "comparing points with depth maps")
    evidence = free_space_evidence(work.input, reconstruction, cloud.points_in_world, options)
    good = region.holds(cloud.points_in_world) & ~evidence.seen_through() & ~evidence.narrow(options)
    log.info("%d of %d points kept", good.sum(), len(good))
    cloud = select(cloud, good)
    _require_points(cloud, work.input, "has, after removing points that other views see through, only")
    work.progress(0.05, "Poisson reconstruction")
    full = poisson_surface(cloud, work.options.poisson_depth)
    work.progress(0.3, f"trimming {plural(len(full.faces), 'triangle')}")
    evidence = free_space_evidence(work.input, reconstruction, full.vertices_in_world, options)
    outside = ~region.holds(full.vertices_in_world)
    cut, open_for_sure = evidence.seen_through() | outside, evidence.clearly_seen_through() | outside
    centres = np.array([view.centre_in_world for view in reconstruction.views])
    surface = trimmed(full, cloud, work.options.trim, cut, open_for_sure, centres)
    return decimate(surface, work.options.max_faces), len(full.faces)


def _colored(
    work: Work[MeshOptions], reconstruction: Reconstruction, cloud: PointCloud, mesh: Mesh
) -> tuple[Mesh, TextureReport | None]:
    """The mesh with a texture, or with vertex colours where none is asked for, and how it came out."""
    side, part = work.options.texture_px, work.progress.part(0.4, 0.95)
    if not side:
        part(0.0, f"colouring {len(mesh.faces)} faces")
        return replace(mesh, vertex_colors=nearest_colors(mesh, cloud)), None
    return textured(mesh, reconstruction.views, work.input / "images", work.options, part)


def _require_points(cloud: PointCloud, folder: Path, what: str) -> None:
    if len(cloud.points_in_world) < MIN_POINTS:
        cause = f"{folder / 'pointcloud.ply'} {what} {len(cloud.points_in_world)} points."
        raise StageError(cause, "Photograph the scene again from more sides.")


def _texture_size(mesh: Mesh) -> int:
    """Longer side in pixels; 0 without a texture."""
    return 0 if mesh.texture is None else max(mesh.texture.shape[:2])
