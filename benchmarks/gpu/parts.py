"""The parts. Each tells its rows as it goes; what goes wrong it raises."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu.table import OUT, tell

WORK = Path("build/gpu")
"""What is made here and may be made again."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What differs between a card and the dry run; every part is the same code on both."""

    dry: bool
    deadline: float
    """On `time.monotonic`."""

    @property
    def device(self) -> str:
        """As PyTorch names it."""
        return "cpu" if self.dry else "cuda"

    @property
    def left(self) -> float:
        """Seconds until the part must be over."""
        return self.deadline - time.monotonic()


def card(setting: Setting) -> None:
    """What card, driver, PyTorch and compiler there are."""
    import torch

    if not setting.dry:
        tell("card", "card", _line_of("nvidia-smi", "--query-gpu=name,memory.total,driver_version",
                                      "--format=csv,noheader"))  # fmt: skip
        tell("card", "compiler", _line_of("nvcc", "--version"))
        capability = ".".join(map(str, torch.cuda.get_device_capability()))
        tell("card", "capability", capability)
    versions = {name: importlib.metadata.version(name) for name in ("gsplat", "numpy", "numba")}
    tell("card", "PyTorch", f"{torch.__version__}, CUDA {torch.version.cuda}")
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    tell("card", "machine", f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {told}")


def _line_of(*command: str) -> str:
    """The last line that says something."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip().splitlines()[-1]


def compile_gsplat(setting: Setting) -> None:
    """gsplat's kernels for this card alone, beside its package; in the dry run the compiler's inputs."""
    import torch

    sys.path.insert(0, "docker/trainer")
    from compile_gsplat import NAME, compile_kernels, find_package

    package = find_package("gsplat")
    sources = list(package.glob("cuda/csrc/*.cu"))
    header = package / "cuda/csrc/third_party/glm/glm/glm.hpp"
    if not sources or not header.is_file():
        raise FileNotFoundError(f"{package} lacks {header.name}, or the sources of its kernels")
    if setting.dry:
        tell("compile", f"{len(sources)} kernels", "not compiled: the dry run has no CUDA")
        return
    if (package / f"{NAME}.so").is_file():
        tell("compile", "", "was compiled before")
        return
    os.environ["TORCH_CUDA_ARCH_LIST"] = ".".join(map(str, torch.cuda.get_device_capability()))
    os.environ["MAX_JOBS"] = str(os.cpu_count())
    start = time.perf_counter()
    shutil.rmtree(WORK / "kernels", ignore_errors=True)
    made = compile_kernels(package, (WORK / "kernels").absolute())
    shutil.copy(made, package / f"{NAME}.so")
    size = f"{made.stat().st_size / 2**20:.0f} MiB"
    tell("compile", os.environ["TORCH_CUDA_ARCH_LIST"], size, seconds=time.perf_counter() - start)


def warm(_setting: Setting) -> None:
    """Our own kernels, which Numba keeps. Runs beside the compiler of gsplat's and leaves the table alone."""
    from ds3d_pipeline.splats.training.trainer import compile_kernels

    print(f"our CPU kernels were ready after {compile_kernels(lambda: None):.1f} s", flush=True)


def kernels(setting: Setting) -> None:
    """One picture of one model, and its gradients, by our kernels and by gsplat's."""
    from benchmarks.gpu.compare import compare_kernels

    compare_kernels(setting)


def fox(setting: Setting) -> None:
    """Trainings on the fox."""
    from benchmarks.gpu.compare import compare_trainers

    compare_trainers("fox", setting)


def fountain(setting: Setting) -> None:
    """Trainings on the fountain."""
    from benchmarks.gpu.compare import compare_trainers

    compare_trainers("fountain", setting)


def long(setting: Setting) -> None:
    """30,000 iterations on the fox."""
    from benchmarks.gpu.compare import compare_long

    compare_long(setting)


def pipeline(setting: Setting) -> None:
    """`ds3d reconstruct` on a few small photos, which chooses the backend of the splat by its probes."""
    photos = _few_photos(setting)
    config, output = WORK / "pipeline.json", WORK / "pipeline"
    config.write_text(json.dumps(_PIPELINE_DRY if setting.dry else _PIPELINE))
    start = time.perf_counter()
    command = [*_ds3d(), "reconstruct", str(photos), "--name", "few", "--output", str(output), "--json",
               "--config", str(config)]  # fmt: skip
    home = {"DAGSTER_HOME": str((WORK / "home").absolute())}
    subprocess.run(command, check=True, env=os.environ | home, timeout=max(setting.left - 5, 10))
    metrics = json.loads((output / "few/metrics.json").read_text())
    shutil.copy(output / "few/report.html", OUT / "report.html")
    _tell_pipeline(metrics, time.perf_counter() - start, setting)


_PIPELINE: dict[str, Any] = {
    "keyframes": {"max_side_px": 640},
    "depth_maps": {"max_side_px": 384, "source_views": 4},
    "mesh": {"poisson_depth": 7, "max_faces": 20_000, "texture_px": 512},
    "splat": {"max_side_px": 640, "max_seconds": 20.0},
}
_PIPELINE_DRY = _PIPELINE | {"splat": {"max_side_px": 160, "max_seconds": 4.0}}
FEW_PHOTOS = 14


def _tell_pipeline(metrics: dict[str, Any], seconds: float, setting: Setting) -> None:
    """The row of the run; raises where a card was there and the splat was not trained on it."""
    stage = metrics["stages"]["splat"]
    result = stage["result"]
    heldout = result.get("heldout") or {}
    tell(
        "pipeline",
        f"splat by {stage['backend']}",
        metrics["status"],
        iterations=result["iterations"],
        seconds=seconds,
        psnr_db=heldout.get("psnr_db", ""),
        ssim=heldout.get("ssim", ""),
        gaussians=result["gaussians"],
        stages={name: told["backend"] for name, told in metrics["stages"].items()},
    )
    if not setting.dry and stage["backend"] != "gsplat":
        raise RuntimeError(f"the splat was made by {stage['backend']}: {stage['attempts']}")


def _few_photos(setting: Setting) -> Path:
    """A folder of photos that can be reconstructed."""
    from benchmarks.gpu.scenes import PREPARED

    folder = WORK / "few"
    shutil.rmtree(folder, ignore_errors=True)
    if setting.dry:
        from ds3d_pipeline.synthetic.capture import make_capture
        from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions

        camera = CameraOptions(size_wh=(320, 240), focal_px=280.0, noise_sigma=1.0)
        options = SyntheticOptions(frames=8, path=PathOptions(arc_deg=35.0), camera=camera)
        return folder / make_capture(folder, options).input
    folder.mkdir(parents=True)
    for path in sorted((PREPARED / "fox/images").iterdir())[:FEW_PHOTOS]:
        shutil.copy(path, folder)
    return folder


def _ds3d() -> list[str]:
    """The command `ds3d` of this checkout, which need not be installed."""
    import tomllib

    entry = tomllib.loads(Path("pyproject.toml").read_text())["project"]["scripts"]["ds3d"]
    module, function = entry.split(":")
    return [sys.executable, "-c", f"from {module} import {function}; raise SystemExit({function}())"]


PARTS = {
    "card": card,
    "compile": compile_gsplat,
    "warm": warm,
    "kernels": kernels,
    "fox": fox,
    "fountain": fountain,
    "pipeline": pipeline,
    "long": long,
}
