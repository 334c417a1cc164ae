"""The parts. Each tells its rows as it goes; what goes wrong it raises."""

from __future__ import annotations

import importlib.metadata
import importlib.util
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
    start, folder = time.perf_counter(), (WORK / "kernels").absolute()
    # What was cut goes on where it was; its lock would make PyTorch wait for it.
    (folder / "lock").unlink(missing_ok=True)
    made = compile_kernels(package, folder)
    shutil.copy(made, package / f"{NAME}.so")
    size = f"{made.stat().st_size / 2**20:.0f} MiB"
    tell("compile", os.environ["TORCH_CUDA_ARCH_LIST"], size, seconds=time.perf_counter() - start)


def require_kernels(setting: Setting) -> None:
    """Raises RuntimeError where gsplat would begin to compile in the middle of a measurement."""
    if not setting.dry and importlib.util.find_spec("gsplat.csrc") is None:
        raise RuntimeError("gsplat is not compiled")


def warm(setting: Setting) -> None:
    """Our own kernels, which Numba keeps. Runs beside the compiler of gsplat's and leaves the table alone."""
    from ds3d_pipeline.splats.training.trainer import compile_kernels

    print(f"our CPU kernels were ready after {compile_kernels():.1f} s", flush=True)
    if not setting.dry:
        _reconstruct(
            _synthetic_photos((WORK / "warm").absolute()), "warm", {"splat": {"train": False}}, setting
        )


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
    require_kernels(setting)
    photos = _synthetic_photos((WORK / "photos").absolute()) if setting.dry else _few_photos(WORK / "photos")
    start = time.perf_counter()
    made = _reconstruct(photos, "few", _PIPELINE_DRY if setting.dry else _PIPELINE, setting)
    seconds = time.perf_counter() - start
    shutil.copy(made / "report.html", OUT / "report.html")
    _tell_pipeline(json.loads((made / "metrics.json").read_text()), seconds, setting)


def _reconstruct(photos: Path, name: str, config: dict[str, Any], setting: Setting) -> Path:
    """The folder that the pipeline makes of the photos, from nothing; raises where it fails."""
    work = (WORK / f"pipeline-{name}").absolute()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "config.json").write_text(json.dumps(config))
    command = [*_ds3d(), "reconstruct", str(photos), "--name", name, "--output", str(work), "--json",
               "--config", str(work / "config.json")]  # fmt: skip
    environment = os.environ | {"DAGSTER_HOME": str(work / "home")}
    subprocess.run(command, check=True, env=environment, timeout=max(setting.left - 5, 10))
    return work / name


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
    stage, result = metrics["stages"]["splat"], metrics["splat"]
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


def _synthetic_photos(folder: Path) -> Path:
    """A folder of eight small photos, which every stage can work on."""
    from ds3d_pipeline.synthetic.capture import make_capture
    from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions

    shutil.rmtree(folder, ignore_errors=True)
    camera = CameraOptions(size_wh=(320, 240), focal_px=280.0, noise_sigma=1.0)
    options = SyntheticOptions(frames=8, path=PathOptions(arc_deg=35.0), camera=camera)
    return folder / make_capture(folder, options).input


def _few_photos(folder: Path) -> Path:
    """A folder of the fox's first photos."""
    from benchmarks.gpu.scenes import PREPARED

    shutil.rmtree(folder, ignore_errors=True)
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
