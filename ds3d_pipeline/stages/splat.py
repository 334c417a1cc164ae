"""The card of the stage `splat`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from ds3d_pipeline.containers.engine import why_no_container
from ds3d_pipeline.programs.rungs import Box, Load, Probe, Program, Rung
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.splats.report import SplatReport
from ds3d_pipeline.stages.stage import VALID_FILES, Gate, Knob, Product, Stage, Verdict
from ds3d_pipeline.storage.bundles import StageReport

MIN_GAIN_DB = 0.5


def gpu_pool() -> str:
    """The pool of a stage that may run on a GPU; with a driver it runs beside other captures' CPU work."""
    return "gpu" if shutil.which("nvidia-smi") else "heavy"


def _trains(options: SplatOptions) -> str | None:
    return None if options.train else "Training is switched off (as in mode fastest)."


def _trains_on_gpu(options: SplatOptions) -> str | None:
    """Looks for gsplat only if a splat is to be trained."""
    if not options.train:
        return _trains(options)
    from ds3d_pipeline.splats.gsplat_engine import why_no_gsplat

    return why_no_gsplat()


def _trains_boxed(image: str, *, needs_gpu: bool = False) -> Probe:
    return lambda options: _trains(options) or why_no_container(image, needs_gpu=needs_gpu)


def _untrained(options: SplatOptions) -> str | None:
    """A shortfall only if a trained one was requested."""
    return "The splat is untrained (one Gaussian per point)." if options.train else None


def _memory_mb(load: Load, options: SplatOptions) -> float:
    """Gaussians with their gradients and moments; photos as bytes."""
    photos_mb = 4 * load.images * load.megapixels(options.max_side_px)
    return 250 + 2 * options.max_gaussians / 1e3 + photos_mb


def _check_files(folder: Path) -> Iterator[str]:
    import numpy as np

    from ds3d_pipeline.formats.splat_ply import read_splat_ply

    splat = read_splat_ply(folder / "splat.ply")
    if not len(splat.means):
        yield "splat.ply has no Gaussians."
    for name, values in vars(splat).items():
        if not np.isfinite(values).all():
            yield f"splat.ply contains {name} that are not finite."


def _heldout(report: StageReport) -> Verdict:
    splat = report.read(SplatReport)
    held, light = splat.heldout, splat.initial_heldout
    if held is None or light is None:
        return Verdict(passed=True, text="Nothing to compare: no photo was held out.")
    gain = held.psnr_db - light.psnr_db
    text = f"{held.psnr_db:.1f} dB on held-out photos, {light.psnr_db:.1f} dB before training."
    passed = gain >= MIN_GAIN_DB
    return Verdict(
        passed=passed,
        text=text if passed else f"Training barely improved the splat: {text}",
        numbers={"psnr_db": held.psnr_db, "untrained_psnr_db": light.psnr_db, "gain_db": gain},
    )


CARD = Stage(
    name="splat",
    label="Gaussian splat",
    about="A 3D Gaussian splat in the 3DGS PLY convention.",
    options=SplatOptions,
    report=SplatReport,
    code_version="5",
    reads=("poses", "pointcloud"),
    rungs=(
        Rung(
            name="gsplat",
            module="ds3d_pipeline.splats",
            probe=_trains_on_gpu,
            label="training on the GPU",
            summary="trained on an NVIDIA GPU",
        ),
        Rung(
            name="gsplat-container",
            module="ds3d_pipeline.splats",
            probe=_trains_boxed("gpu trainer", needs_gpu=True),
            label="training on the GPU in a container",
            summary="trained on an NVIDIA GPU, in a container",
            programs=(Program(backend="gsplat", box=Box(image="gpu trainer", gpu="must")),),
        ),
        Rung(
            name="cpu",
            module="ds3d_pipeline.splats",
            probe=_trains,
            label="training on the CPU",
            summary="trained on the CPU",
            memory_mb=_memory_mb,
        ),
        Rung(
            name="cpu-container",
            module="ds3d_pipeline.splats",
            probe=_trains_boxed("trainer"),
            label="training in a container",
            summary="trained on the CPU, in a container",
            programs=(Program(backend="cpu", box=Box(image="trainer")),),
        ),
        Rung(
            name="light",
            module="ds3d_pipeline.splats",
            label="an untrained splat",
            summary="one Gaussian per point, untrained",
            shortfall=_untrained,
        ),
    ),
    gates=(
        Gate(
            name="heldout_psnr",
            about=f"Training must raise PSNR on held-out photos by at least {MIN_GAIN_DB} dB.",
            judge=_heldout,
        ),
        VALID_FILES,
    ),
    check_files=_check_files,
    knobs=(Knob(option="max_gaussians", least=20_000), Knob(option="max_side_px", least=480)),
    products=(
        Product(
            name="model.splat.ply",
            source="splat.ply",
            about="Gaussian splat. Opens in SuperSplat, Brush and nerfstudio.",
        ),
        Product(
            name="model.splat.ply.gz",
            source="splat.ply.gz",
            about="The same splat, compressed without loss.",
        ),
        Product(
            name="model.spz",
            source="splat.spz",
            about="The same splat, compressed for the web, Y up.",
        ),
        Product(
            name="model.splat.glb",
            source="splat.glb",
            about="The same splat as glTF, with KHR_gaussian_splatting.",
        ),
    ),
    kinds=("numba",),
    pool=gpu_pool,
)
