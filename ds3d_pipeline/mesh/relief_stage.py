"""The mesh program's last rung: a relief of the best view."""

from __future__ import annotations

from typing import Any

from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.formats.gltf import write_glb
from ds3d_pipeline.formats.pictures import read_rgb
from ds3d_pipeline.mesh.maps import best_map
from ds3d_pipeline.mesh.preview import write_preview
from ds3d_pipeline.mesh.relief import ReliefOptions, relief
from ds3d_pipeline.options import MeshOptions
from ds3d_pipeline.program import Work


def relief_of_best_view(work: Work[MeshOptions]) -> dict[str, Any]:
    """Lifts the photo of the view with the most depth into OUTPUT/model.glb, shown in OUTPUT/preview.jpg.

    With one view the camera is at the origin of the GLB and looks along -Z. Raises StageError where no view
    has a surface.
    """
    reconstruction = read_reconstruction(work.input / "sparse")
    view, depth = best_map(work.input, reconstruction)
    photo = read_rgb(work.input / "images" / view.image)
    work.progress(0.1, f"triangulating {view.image}")
    mesh = relief(view, depth, photo, ReliefOptions(max_faces=work.options.max_faces))
    work.progress(0.9, f"{len(mesh.faces)} faces")
    alone = len(reconstruction.views) == 1
    world_from_gltf = write_glb(work.output / "model.glb", mesh, centred=not alone)
    write_preview(work.output / "preview.jpg", mesh, [view])
    work.progress(1.0, f"{len(mesh.faces)} faces")
    return {
        "vertices": len(mesh.vertices_in_world),
        "faces": len(mesh.faces),
        "texture_size": 0 if mesh.texture is None else max(mesh.texture.shape[:2]),
        "view": view.image,
        "world_from_gltf": world_from_gltf.tolist(),
    }
