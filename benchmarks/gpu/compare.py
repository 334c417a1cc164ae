"""Our gsplat backend beside our CPU kernels and beside gsplat's own published training."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.gpu.parts import WORK, Setting, require_kernels
from benchmarks.gpu.published import PRESETS, Published
from benchmarks.gpu.scenes import PREPARED, TINY_BUDGET, Scene, make_tiny, open_scene, tiny_rows
from benchmarks.gpu.table import OUT, first_line, tell
from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.gsplat_engine import GsplatEngine
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, MEAN, QUAT, SH, rows_from_gaussians
from ds3d_pipeline.splats.kernels.render import BLACK, KernelEngine
from ds3d_pipeline.splats.training.initialization import training_start
from ds3d_pipeline.splats.training.photos import Photo
from ds3d_pipeline.splats.training.pruning import clean
from ds3d_pipeline.splats.training.schedule import recipe_for
from ds3d_pipeline.splats.training.scores import draw, photo_camera, psnr_db, score
from ds3d_pipeline.splats.training.trainer import compile_kernels, train

ITERATIONS, DRY_ITERATIONS = (1000, 3000, 7000), (10, 20, 50)
LONG_ITERATIONS, DRY_LONG_ITERATIONS = 30_000, 30
OURS_MAX_S = 60.0
"""Our training is given no more than the goal allows; its schedule fits itself to that."""
SCORING_S = 8.0
"""What scoring and drawing after a training may take."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A trained splat, whoever trained it."""

    rows: Float32
    iterations: int
    seconds: float


Trainer = Callable[[Scene, int, float, str], Made]


def open_prepared(name: str, setting: Setting) -> Scene:
    """The prepared capture, or the tiny scene under its name. Compiles our kernels, which no clock sees."""
    require_kernels(setting)
    compile_kernels()
    if not setting.dry:
        return open_scene(name, PREPARED / name)
    _use_reference()
    if not (WORK / "tiny").is_dir():
        make_tiny(WORK / "tiny.part")
        (WORK / "tiny.part").rename(WORK / "tiny")
    scene = open_scene(name, WORK / "tiny")
    return replace(scene, options=replace(scene.options, max_gaussians=TINY_BUDGET))


def _use_reference() -> None:
    from benchmarks.gpu.on_cpu import use_reference

    use_reference()


def compare_trainers(name: str, setting: Setting) -> None:
    """1,000, 3,000 and 7,000 iterations by each trainer: rows, and the middle held-out photo beside all."""
    scene, failed = open_prepared(name, setting), []
    for iterations in DRY_ITERATIONS if setting.dry else ITERATIONS:
        failed += _compare(name, scene, iterations, setting)
    _refuse(failed)


def compare_long(setting: Setting) -> None:
    """30,000 iterations on the fox, as many of them as the time allows, in equal shares."""
    scene = open_prepared("fox", setting)
    iterations = DRY_LONG_ITERATIONS if setting.dry else LONG_ITERATIONS
    share = setting.left / len(TRAINERS) - SCORING_S
    _refuse(_compare("long", scene, iterations, setting, share))


def _refuse(failed: list[str]) -> None:
    """Raises RuntimeError where trainings failed, whose rows stand already."""
    if failed:
        raise RuntimeError(f"{len(failed)} trainings failed: {', '.join(failed)}")


def _compare(part: str, scene: Scene, iterations: int, setting: Setting, share: float = 1e9) -> list[str]:
    """One training by each trainer, of which none keeps the next from running; returns those that failed."""
    shown = scene.heldout[len(scene.heldout) // 2]
    strip, failed = [shown.pixels], []
    for name, trainer in TRAINERS.items():
        seconds = min(setting.left - SCORING_S, share)
        if seconds < 1:
            tell(part, name, "no time left", iterations=iterations)
            continue
        try:
            made = _trained(part, name, trainer, scene, iterations, seconds, setting)
        except Exception as error:
            traceback.print_exc()
            failed.append(name)
            tell(part, name, first_line(error), iterations=iterations)
            continue
        strip.append(_picture(made.rows, shown))
        _write_strip(OUT / f"{part}.jpg", strip)
    return failed


def _trained(
    part: str, name: str, trainer: Trainer, scene: Scene, iterations: int, seconds: float, setting: Setting
) -> Made:
    if not setting.dry:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    made = trainer(scene, iterations, seconds, setting.device)
    peak = 0 if setting.dry else torch.cuda.max_memory_allocated() / 2**20
    scores = score(made.rows, scene.heldout, _degree(made.rows))
    tell(
        part,
        name,
        "" if made.iterations == iterations else f"of {iterations}: its time was over",
        iterations=made.iterations,
        seconds=round(made.seconds, 2),
        per_s=made.iterations / made.seconds,
        psnr_db=round(scores.psnr_db, 2),
        ssim=round(scores.ssim, 4),
        gaussians=len(made.rows),
        gpu_mib=round(peak),
        asked=iterations,
    )
    return made


def ours(scene: Scene, iterations: int, seconds: float, device: str) -> Made:
    """Our trainer with the engine of the backend `gsplat`, cleaned as it is published."""
    options = replace(scene.options, iterations=iterations, max_seconds=min(seconds, OURS_MAX_S))
    recipe = recipe_for(options.recipe, len(scene.training))
    rows = training_start(rows_from_gaussians(scene.start, options.sh_degree), recipe.start_opacity)
    trained = train(rows, scene.training, options, recipe=recipe, engine=GsplatEngine(device))
    cleaned, _ = clean(trained.rows, scene.training, scene.start.means)
    return Made(rows=cleaned, iterations=trained.iterations, seconds=trained.seconds)


def published(preset: str) -> Trainer:
    """gsplat's own training."""

    def run(scene: Scene, iterations: int, seconds: float, device: str) -> Made:
        fitted = Published(scene, PRESETS[preset], iterations, device).train(seconds)
        return Made(rows=fitted.rows, iterations=fitted.iterations, seconds=fitted.seconds)

    return run


TRAINERS: dict[str, Trainer] = {
    "ours": ours,
    "gsplat default": published("default"),
    "gsplat mcmc": published("mcmc"),
}


def _degree(rows: Float32) -> int:
    """Of the harmonics that rows of this width hold."""
    return round(((rows.shape[1] - SH) // 3) ** 0.5) - 1


def _picture(rows: Float32, photo: Photo) -> np.ndarray:
    """(H, W, 3) bytes."""
    return np.rint(draw(rows, photo, _degree(rows)) * 255).astype(np.uint8).transpose(1, 2, 0)


def _write_strip(path: Path, pictures: list[np.ndarray]) -> None:
    """The photo and what each trainer shows of it, side by side."""
    strip = cv2.cvtColor(np.concatenate(pictures, axis=1), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(path), strip, [cv2.IMWRITE_JPEG_QUALITY, 92])


GRADIENTS = 1000
GROUPS = {
    "means": slice(MEAN, QUAT),
    "quats": slice(QUAT, LOG_SCALE),
    "scales": slice(LOG_SCALE, LOGIT),
    "opacities": slice(LOGIT, SH),
    "harmonics": slice(SH, None),
}


def compare_kernels(setting: Setting) -> None:
    """One picture by both engines: largest difference, PSNR, and gradients of 1,000 Gaussians by kind."""
    scene = open_prepared("fox", setting)
    photo = scene.heldout[len(scene.heldout) // 2]
    rows, camera = _model(scene, setting), photo_camera(photo)
    weights = np.random.default_rng(2).normal(size=(3, *photo.pixels.shape[:2])).astype(np.float32)
    drawn, grads, seconds = {}, {}, {}
    for name, engine in (("cpu", KernelEngine()), ("gsplat", GsplatEngine(setting.device))):
        for _ in range(2):
            start = time.perf_counter()
            drawn[name] = engine.render(rows, camera, 3, BLACK)
            grads[name] = engine.backward(rows, camera, 3, drawn[name], weights).rows
            seconds[name] = time.perf_counter() - start
    ours_image, theirs = drawn["cpu"].image, drawn["gsplat"].image
    tell(
        "kernels",
        "picture",
        f"largest difference {255 * np.abs(ours_image - theirs).max():.3f}/255",
        seconds=seconds["gsplat"],
        psnr_db=round(psnr_db(np.clip(ours_image, 0, 1), np.clip(theirs, 0, 1)), 2),
        gaussians=len(rows),
        largest=float(np.abs(ours_image - theirs).max()),
        cpu_seconds=seconds["cpu"],
    )
    _tell_gradients(grads["cpu"], grads["gsplat"], drawn["cpu"].visible & drawn["gsplat"].visible)


def _model(scene: Scene, setting: Setting) -> Float32:
    """The start of training, its colours made to depend on the view; in the dry run the tiny scene itself."""
    if setting.dry:
        return tiny_rows(300)
    rows = training_start(rows_from_gaussians(scene.start, 3), 0.5)
    rows[:, SH + 3 :] = np.random.default_rng(1).normal(0, 0.05, rows[:, SH + 3 :].shape)
    return rows


def _tell_gradients(ours_grad: Float32, theirs: Float32, visible: np.ndarray) -> None:
    """Of Gaussians that both draw: the norm of the difference over the norm."""
    seen = np.flatnonzero(visible)
    chosen = np.random.default_rng(3).choice(seen, min(GRADIENTS, len(seen)), replace=False)
    for name, columns in GROUPS.items():
        a, b = ours_grad[chosen, columns], theirs[chosen, columns]
        off = float(np.linalg.norm(a - b) / np.linalg.norm(a))
        tell("kernels", f"grad {name}", f"off by {off:.2e}", gaussians=len(chosen), off=off)
