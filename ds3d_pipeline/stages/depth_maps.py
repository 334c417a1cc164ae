"""The card of the stage `depth_maps`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.report import DepthReport
from ds3d_pipeline.programs.rungs import Box, Load, Program, Rung
from ds3d_pipeline.stages.stage import VALID_FILES, Gate, Knob, Stage, Verdict, boxed
from ds3d_pipeline.storage.bundles import StageReport

MIN_COVERAGE = 0.35


def _estimates(options: DepthOptions) -> str | None:
    from ds3d_pipeline.depth.learned.models import can_estimate

    return can_estimate(options)


def _estimated(_options: DepthOptions) -> str:
    return "Depth is estimated by a learned model from single photos, not measured."


def _coarse(_options: DepthOptions) -> str:
    return "Depth is interpolated between sparse points, so mesh and points show only the coarse shape."


def _flat_card(_options: DepthOptions) -> str:
    return "No 3D shape could be recovered: model.glb is just the photo on a flat rectangle."


def _memory_mb(load: Load, options: DepthOptions) -> float:
    """A few photos and maps at a time; but what fusion will need of maps this large counts as well."""
    size = load.megapixels(options.max_side_px)
    return max(300 + 650 * size, 300 + 45 * size * load.images)


def _check_files(folder: Path) -> Iterator[str]:
    import numpy as np

    from ds3d_pipeline.formats.colmap import read_array

    paths = sorted((folder / "depth").glob("*.bin"))
    known = False
    for path in paths:
        depth = read_array(path)
        if not np.isfinite(depth).all() or (depth < 0).any():
            yield f"{path.name} contains depths that are negative or not finite."
        known = known or bool((depth > 0).any())
    if not known:
        yield f"None of the {len(paths)} depth maps contains any depth."


def _coverage(report: StageReport) -> Verdict:
    depth = report.read(DepthReport)
    coverage = depth.measured
    text = f"Depth is measured for {coverage:.0%} of all pixels"
    passed = coverage >= MIN_COVERAGE
    rest = "." if passed else f", below the limit of {MIN_COVERAGE:.0%}."
    return Verdict(passed=passed, text=text + rest, numbers={"coverage": coverage})


CARD = Stage(
    name="depth_maps",
    label="Depth maps",
    about="Depth, normals and confidence of every aligned keyframe, in COLMAP's dense format.",
    options=DepthOptions,
    report=DepthReport,
    code_version="5",
    reads=("poses",),
    rungs=(
        Rung(
            name="colmap-container",
            module="ds3d_pipeline.depth",
            probe=boxed("colmap", needs_gpu=True),
            label="COLMAP's stereo on the GPU",
            summary="COLMAP's multi-view stereo on an NVIDIA GPU, in a container",
            programs=(
                Program(backend="colmap-script"),
                Program(script="scratch/colmap.sh", box=Box(image="colmap", gpu="must")),
                Program(backend="colmap-container"),
            ),
        ),
        Rung(
            name="patchmatch",
            module="ds3d_pipeline.depth",
            label="multi-view stereo",
            summary="multi-view stereo on the CPU",
            memory_mb=_memory_mb,
        ),
        Rung(
            name="monocular",
            module="ds3d_pipeline.depth",
            probe=_estimates,
            label="the learned depth model",
            summary="depth of single photos by a learned model",
            shortfall=_estimated,
            takes_one_view=True,
        ),
        Rung(
            name="interpolation",
            module="ds3d_pipeline.depth",
            label="interpolation between sparse points",
            summary="sparse points, interpolated",
            shortfall=_coarse,
        ),
        Rung(
            name="card",
            module="ds3d_pipeline.depth",
            label="a flat rectangle",
            summary="no depth: the photo on a flat rectangle",
            shortfall=_flat_card,
        ),
    ),
    gates=(
        Gate(
            name="depth_coverage",
            about=f"Depth must be measured for at least {MIN_COVERAGE:.0%} of all pixels.",
            judge=_coverage,
        ),
        VALID_FILES,
    ),
    check_files=_check_files,
    knobs=(Knob(option="max_side_px", least=256),),
    kinds=("numba",),
)
