"""The mesh as OBJ and STL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.export.closing import close_surface
from ds3d_pipeline.export.placing import Placing
from ds3d_pipeline.scene import Float64, Int32, Mesh

_FLAT = 1e-6
"""A volume below this share of the cube around it is none."""


def write_obj(path: Path, mesh: Mesh, placing: Placing) -> list[Path]:
    """Writes the mesh, and beside it its material and texture; returns those two.

    Raises InputError where one of them is there.
    """
    import trimesh
    from PIL import Image
    from trimesh.exchange.obj import export_obj
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import SimpleMaterial

    visual: Any = None
    if mesh.texture is not None:
        material = SimpleMaterial(image=Image.fromarray(mesh.texture))
        material.name = path.stem
        visual = TextureVisuals(uv=mesh.uvs, material=material)
    shape = trimesh.Trimesh(
        placing.points(mesh.vertices_in_world),
        mesh.faces,
        visual=visual,
        vertex_colors=None if mesh.texture is not None else mesh.vertex_colors,
        process=False,
    )
    text, beside = export_obj(
        shape, include_texture=True, return_texture=True, mtl_name=f"{path.stem}.mtl", digits=6
    )
    files = {path.with_name(name): data for name, data in beside.items()}
    for file in files:
        refuse_existing(file)
    for file, data in files.items():
        file.write_bytes(data)
    path.write_text(text, encoding="utf-8")
    return list(files)


def write_stl(path: Path, mesh: Mesh, placing: Placing) -> None:
    """Writes the mesh as one closed surface, binary. Raises InputError for a flat one."""
    import trimesh
    from trimesh.exchange.stl import export_stl

    vertices, faces = close_surface(placing.points(mesh.vertices_in_world), mesh.faces)
    volume = _volume(vertices, faces)
    if abs(volume) < _FLAT * float(np.ptp(vertices, axis=0).max(initial=0)) ** 3 or not len(faces):
        raise InputError("The mesh is flat, so there is nothing to print.", "Export obj or usdz.")
    # A room is seen from within: what is solid is on the other side of its surface.
    shape = trimesh.Trimesh(vertices, faces if volume > 0 else faces[:, ::-1], process=False)
    path.write_bytes(export_stl(shape))


def _volume(vertices: Float64, faces: Int32) -> float:
    """What a closed surface encloses; negative where its faces look inwards."""
    a, b, c = (vertices[faces] - vertices.mean(axis=0)).transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def refuse_existing(path: Path) -> None:
    """Raises InputError where there is such a file: it may be the user's."""
    if path.exists():
        raise InputError(f"{path} exists already.", "Move it away, or give another name with --file.")
