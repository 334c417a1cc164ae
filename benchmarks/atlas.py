"""Our texture atlas beside that of xatlas (`pip install xatlas`), as a table.

    python benchmarks/atlas.py FOLDER [--side 4096]

FOLDER is a finished capture: `model.glb` and `sparse/`. Both cut and pack the mesh's surface anew: seconds,
charts, share of the texture that is used, share of the inner edges that are cut, and the texels per length
of surface at the 95th over those at the 5th percentile of faces. Ours follow the photos, which show near
surfaces finer; those of xatlas are spread evenly.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from ds3d_pipeline.formats.colmap import model_folder, read_reconstruction
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.mesh.adjacency import neighbour_pairs
from ds3d_pipeline.mesh.options import ViewQualityOptions
from ds3d_pipeline.mesh.surface.components import face_areas, face_components
from ds3d_pipeline.mesh.texture.atlas import lay_out
from ds3d_pipeline.mesh.texture.charts import chart_labels, projections
from ds3d_pipeline.mesh.texture.view_quality import measure_view_quality
from ds3d_pipeline.scene import Mesh


def welded(mesh: Mesh) -> Mesh:
    """The surface without its seams."""
    vertices, index = np.unique(mesh.vertices_in_world, axis=0, return_inverse=True)
    return Mesh(vertices_in_world=vertices, faces=index.reshape(-1)[mesh.faces].astype(np.int32))


def row(name, seconds, charts, corners_xy, mesh, side):
    """`corners_xy` (F, 3, 2) in texels of a texture of `side`; `charts` (F,)."""
    pairs = neighbour_pairs(mesh.faces)
    a, b = corners_xy[:, 1] - corners_xy[:, 0], corners_xy[:, 2] - corners_xy[:, 0]
    texels = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    density = np.sqrt(texels / np.maximum(face_areas(mesh), 1e-300))
    low, high = np.percentile(density[density > 0], [5, 95])
    cut = (charts[pairs[:, 0]] != charts[pairs[:, 1]]).mean()
    used = texels.sum() / side**2
    print(f"{name:>8}{seconds:9.1f}{charts.max() + 1:9}{100 * used:9.1f}{100 * cut:9.2f}{high / low:9.2f}")


def ours(mesh, folder, side):
    """What a texture's making spends on cutting and packing, given which photo sees what."""
    views = read_reconstruction(model_folder(folder)).views
    quality = measure_view_quality(
        mesh, views, folder / "images", ViewQualityOptions(), lambda _: None
    ).quality
    start = time.monotonic()
    pairs, ways = neighbour_pairs(mesh.faces), projections(mesh, views)
    atlas = lay_out(mesh, chart_labels(mesh, quality, ways, pairs), ways, pairs, side)
    row("ours", time.monotonic() - start, atlas.charts, atlas.corners_xy, mesh, atlas.side)


def theirs(mesh, side):
    import xatlas

    atlas, start = xatlas.Atlas(), time.monotonic()
    atlas.add_mesh(mesh.vertices_in_world, mesh.faces.astype(np.uint32))
    pack = xatlas.PackOptions()
    pack.resolution, pack.padding = side, 6
    atlas.generate(pack_options=pack)
    seconds = time.monotonic() - start
    _, faces, uvs = atlas[0]
    charts = Mesh(vertices_in_world=np.zeros((len(uvs), 3), np.float32), faces=faces.astype(np.int32))
    size = np.array([atlas.width, atlas.height])
    row("xatlas", seconds, face_components(charts), uvs[faces] * size, mesh, float(np.sqrt(size.prod())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--side", type=int, default=4096)
    args = parser.parse_args()
    mesh = welded(read_glb(args.folder / "model.glb")[0])
    print(f"{len(mesh.faces)} faces")
    print(f"{'':>8}{'seconds':>9}{'charts':>9}{'used %':>9}{'cut %':>9}{'p95/p5':>9}")
    ours(mesh, args.folder, args.side)
    theirs(mesh, args.side)


if __name__ == "__main__":
    main()
