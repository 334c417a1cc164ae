"""The card of the stage `mesh`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ds3d_pipeline.mesh.options import MeshOptions
from ds3d_pipeline.mesh.report import MeshReport
from ds3d_pipeline.programs.rungs import Load, Rung
from ds3d_pipeline.programs.words import plural
from ds3d_pipeline.stages.stage import VALID_FILES, Gate, Knob, Product, Stage, Verdict
from ds3d_pipeline.storage.bundles import StageReport

MIN_FACES = 100
MIN_LARGEST_PIECE = 0.5
MIN_SHOWN = 0.5


def _seen_from_one_side(_options: MeshOptions) -> str:
    return "The mesh is a relief seen from one side; it has no sides or back."


def _memory_mb(load: Load, options: MeshOptions) -> float:
    return 390 + 250 * load.points / 1e6 + 35 * options.texture_px**2 / 1e6


def _relief_memory_mb(load: Load, _options: MeshOptions) -> float:
    """One photo and its map."""
    return 280 + 30 * load.megapixels()


def _check_files(folder: Path) -> Iterator[str]:
    import numpy as np

    from ds3d_pipeline.formats.gltf import read_glb

    mesh, _ = read_glb(folder / "model.glb")
    vertices, faces = mesh.vertices_in_world, mesh.faces
    if not np.isfinite(vertices).all():
        yield "model.glb contains vertices that are not finite."
    if not len(faces):
        yield "model.glb has no triangles."
    elif faces.min() < 0 or faces.max() >= len(vertices):
        yield "model.glb has triangles that refer to missing vertices."
    elif not np.ptp(vertices, axis=0).max() > 0:
        yield "model.glb is a single point."


def _surface(report: StageReport) -> Verdict:
    """A surface of enough triangles, mostly in one piece and seen by photos."""
    mesh = report.read(MeshReport)
    faces = mesh.faces
    piece = 1.0 if mesh.largest_piece is None else mesh.largest_piece
    shown = 1.0 if mesh.texture is None else mesh.texture.shown
    wrong = [
        text
        for text, is_wrong in (
            (f"it has only {plural(faces, 'triangle')}", faces < MIN_FACES),
            (f"its largest piece is only {piece:.0%} of the surface", piece < MIN_LARGEST_PIECE),
            (f"photos show only {shown:.0%} of its surface", shown < MIN_SHOWN),
        )
        if is_wrong
    ]
    text = (
        f"{plural(faces, 'triangle')}, {piece:.0%} of the surface in one piece, {shown:.0%} seen in photos."
    )
    if wrong:
        text = f"The mesh is poor: {', '.join(wrong)}."
    return Verdict(
        passed=not wrong, text=text, numbers={"faces": faces, "largest_piece": piece, "shown": shown}
    )


CARD = Stage(
    name="mesh",
    label="Mesh",
    about="A textured triangle mesh as glTF, Y up.",
    options=MeshOptions,
    report=MeshReport,
    code_version="4",
    reads=("poses", "depth_maps", "pointcloud"),
    rungs=(
        Rung(
            name="poisson",
            module="ds3d_pipeline.mesh",
            label="Poisson reconstruction",
            summary="Poisson surface",
            memory_mb=_memory_mb,
        ),
        Rung(
            name="relief",
            module="ds3d_pipeline.mesh",
            label="a relief of one view",
            summary="one view's depth, triangulated",
            shortfall=_seen_from_one_side,
            memory_mb=_relief_memory_mb,
        ),
    ),
    gates=(
        Gate(
            name="mesh_sanity",
            about=f"The mesh must have at least {MIN_FACES} triangles, {MIN_LARGEST_PIECE:.0%} of its "
            f"surface in one piece and {MIN_SHOWN:.0%} of it seen in photos.",
            judge=_surface,
        ),
        VALID_FILES,
    ),
    check_files=_check_files,
    knobs=(Knob(option="texture_px", least=1024),),
    products=(
        Product(
            name="model.glb",
            source="model.glb",
            about="Textured mesh (in fastest: vertex colours). Opens in Blender and any glTF viewer.",
        ),
    ),
    kinds=("gltf",),
)
