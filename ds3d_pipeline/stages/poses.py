"""The card of the stage `poses`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.poses.report import PosesReport
from ds3d_pipeline.programs.rungs import Box, Load, Program, Rung
from ds3d_pipeline.programs.words import plural
from ds3d_pipeline.stages.stage import (
    VALID_FILES,
    Gate,
    Knob,
    Product,
    Stage,
    Verdict,
    boxed,
    has_gpu,
    worker_threads,
)
from ds3d_pipeline.storage.bundles import StageReport

MIN_REGISTERED = 0.8
MAX_REPROJECTION_ERROR_PX = 1.5
MAX_GAP = 3
NO_MODEL = (
    "No good initial image pair found",
    "failed to create sparse model",
    "Failed to create any sparse model",
)
"""What COLMAP prints when it cannot register anything; our own diagnosis then finds out why."""


def _one_sided(_options: PosesOptions) -> str:
    return "No camera positions were found, so the result is built from a single photo."


def _memory_mb(load: Load, options: PosesOptions) -> float:
    """Scale-space pyramids, one a thread, which weigh more above a megapixel, and every image's features."""
    size, threads = load.megapixels(options.max_side_px), worker_threads()
    features_mb = load.images * options.max_features * 128 / 1e6
    return max(500 + 80 * threads * size, 330 + 210 * threads * size) + features_mb


def _opencv_memory_mb(load: Load, options: PosesOptions) -> float:
    """The same, with features of four bytes a number."""
    return _memory_mb(load, options) + 3 * load.images * options.max_features * 128 / 1e6


def _check_files(folder: Path) -> Iterator[str]:
    import numpy as np

    from ds3d_pipeline.formats.colmap import read_reconstruction

    model = read_reconstruction(folder / "sparse")
    if not model.views:
        yield "The model contains no camera."
    if not np.isfinite(model.points_in_world).all():
        yield "Sparse points are not finite."
    for view in model.views:
        if not (np.isfinite(view.cam_from_world).all() and np.isfinite(view.K).all()):
            yield f"The camera of {view.image} is not finite."
        if not (folder / "images" / view.image).is_file():
            yield f"The undistorted image {view.image} is missing."


def _registered(report: StageReport) -> Verdict:
    poses = report.read(PosesReport)
    registered, total = poses.registered, poses.total
    passed = registered >= MIN_REGISTERED * total
    text = f"{registered} of {plural(total, 'keyframe')} are aligned."
    if not passed:
        count = f"Only {registered}" if registered else "None"
        text = f"{count} of {plural(total, 'keyframe')} could be aligned. {poses.unregistered_text}"
    return Verdict(passed=passed, text=text.strip(), numbers={"registered": registered, "total": total})


def _reprojection(report: StageReport) -> Verdict:
    error_px = report.read(PosesReport).mean_reprojection_error_px
    if error_px is None:
        return Verdict(passed=False, text="A single photo has no reprojection error.")
    text = f"The mean reprojection error is {error_px:.2f} px"
    passed = error_px <= MAX_REPROJECTION_ERROR_PX
    rest = "." if passed else f", above the limit of {MAX_REPROJECTION_ERROR_PX} px."
    return Verdict(passed=passed, text=text + rest, numbers={"error_px": error_px})


def _gap(report: StageReport) -> Verdict:
    poses = report.read(PosesReport)
    gap = poses.largest_gap
    missing = f"Longest gap: {plural(gap, 'keyframe')}." if gap else "No keyframe is missing."
    text = f"{missing} {poses.unregistered_text}".strip()
    return Verdict(passed=gap <= MAX_GAP, text=text, numbers={"gap": gap})


CARD = Stage(
    name="poses",
    label="Camera positions",
    about="Camera poses, intrinsics and sparse points in COLMAP's format, with undistorted images.",
    options=PosesOptions,
    report=PosesReport,
    code_version="2",
    reads=("keyframes",),
    rungs=(
        Rung(
            name="pycolmap",
            module="ds3d_pipeline.poses",
            label="COLMAP",
            summary="COLMAP's incremental mapping",
            memory_mb=_memory_mb,
        ),
        Rung(
            name="colmap-container",
            module="ds3d_pipeline.poses",
            probe=boxed("colmap"),
            label="COLMAP in a container",
            summary="COLMAP in a container, on the GPU if there is one",
            programs=(
                Program(backend="colmap-script"),
                Program(
                    script="scratch/colmap.sh",
                    box=Box(image="colmap", gpu="if there", forgives=NO_MODEL),
                ),
                Program(backend="colmap-container"),
            ),
            leads=has_gpu,
        ),
        Rung(
            name="opencv",
            module="ds3d_pipeline.poses",
            label="OpenCV",
            summary="OpenCV's geometry, our bundle adjustment",
            memory_mb=_opencv_memory_mb,
        ),
        Rung(
            name="single",
            module="ds3d_pipeline.poses",
            label="a single photo",
            summary="one photo, without points",
            shortfall=_one_sided,
        ),
    ),
    gates=(
        Gate(
            name="registered_fraction",
            about=f"At least {MIN_REGISTERED:.0%} of the keyframes must be aligned.",
            judge=_registered,
        ),
        Gate(
            name="mean_reprojection_error",
            about=f"The mean reprojection error must be at most {MAX_REPROJECTION_ERROR_PX} px.",
            judge=_reprojection,
        ),
        Gate(
            name="largest_gap",
            about=f"No more than {MAX_GAP} consecutive keyframes may be missing.",
            judge=_gap,
            covered_by="registered_fraction",
        ),
        VALID_FILES,
    ),
    check_files=_check_files,
    knobs=(Knob(option="max_side_px", least=640),),
    products=(
        Product(
            name="sparse/0/",
            source="sparse/",
            about="Cameras and sparse points in COLMAP's format. Other trainers take the folder as it is.",
        ),
        Product(
            name="images/",
            source="images/",
            about="The undistorted photos that sparse/0/ refers to.",
        ),
    ),
    kinds=("colmap",),
)
