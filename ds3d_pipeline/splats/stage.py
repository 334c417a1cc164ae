"""The bodies of the splat program, one a backend."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.splat_gltf import write_splat_glb
from ds3d_pipeline.formats.splat_ply import write_gzip, write_splat_ply
from ds3d_pipeline.formats.spz import write_spz
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.threads import use_allowed_threads
from ds3d_pipeline.scene import Float32, Gaussians
from ds3d_pipeline.splats.gsplat_engine import GsplatEngine, why_no_gsplat
from ds3d_pipeline.splats.kernels.parameters import gaussians_from_rows, rows_from_gaussians
from ds3d_pipeline.splats.kernels.render import Engine, KernelEngine
from ds3d_pipeline.splats.light import light_splat
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.splats.report import FinalTuning, Scores, SplatReport
from ds3d_pipeline.splats.training.checkpoint import Checkpoints, training_mark
from ds3d_pipeline.splats.training.early_stopping import EarlyStopping
from ds3d_pipeline.splats.training.final_tuning import train_on_all
from ds3d_pipeline.splats.training.initialization import settled, starting_splat, training_start
from ds3d_pipeline.splats.training.photos import Photo, read_cameras, read_photo, read_points
from ds3d_pipeline.splats.training.pruning import clean
from ds3d_pipeline.splats.training.schedule import recipe_for
from ds3d_pipeline.splats.training.scores import draw, score
from ds3d_pipeline.splats.training.trainer import Trained, compile_kernels, train

log = logging.getLogger(__name__)
_FEWEST_FOR_HOLDOUT = 8
_FEWEST_FOR_TRAINING = 3


def light(work: Work[SplatOptions]) -> SplatReport:
    """The untrained splat: one Gaussian per dense point, or per sparse point where there is no other.

    Raises InputError where the input folder has no points.
    """
    points, source = read_points(work.input, read_cameras(work.input))
    work.progress(0.2, f"{len(points.points_in_world)} {source} points")
    options = work.options
    splat = light_splat(points, max_gaussians=options.max_gaussians, seed=options.seed)
    publish(work, splat)
    work.progress(1.0, f"{len(splat.means)} Gaussians")
    return SplatReport(gaussians=len(splat.means), iterations=0, initialised_from=source)


def cpu(work: Work[SplatOptions]) -> SplatReport:
    """The splat trained on the CPU; see `_trained`."""
    return _trained(work, KernelEngine())


def gsplat(work: Work[SplatOptions]) -> SplatReport:
    """The splat trained on an NVIDIA GPU, by the same recipe.

    Raises StageError where gsplat cannot run here; see `_trained` for the rest.
    """
    missing = why_no_gsplat()
    if missing:
        raise StageError(missing, "Use the cpu backend, or install gsplat and PyTorch with CUDA.")
    return _trained(work, GsplatEngine())


def _trained(work: Work[SplatOptions], engine: Engine) -> SplatReport:
    """The trained splat, scored on held-out photos.

    Raises StageError where training ends further from those photos than the untrained splat it began with,
    InputError where the input folder lacks points or photos.
    """
    threads = use_allowed_threads()
    task = prepare(work)
    seconds = compile_kernels()
    run = _Run(work, task, engine)
    before = score(rows_from_gaussians(task.start, 0), task.judged, 0)
    trained = run.train()
    rows, removed = clean(trained.rows, task.photos, task.start.means)
    after = score(rows, task.judged, task.options.sh_degree)
    refuse_worse(before, after)
    final_tuning = FinalTuning()
    if task.options.join_heldout and task.heldout:
        rows, final_tuning = run.train_on_all(trained)
    publish(work, gaussians_from_rows(rows))
    write_comparisons(work.output / "heldout", rows, task.heldout, task.options.sh_degree)
    run.checkpoints.remove()
    work.progress(1.0, f"{len(rows)} Gaussians", psnr=after.psnr_db)
    return SplatReport(
        gaussians=len(rows),
        sh_degree=task.options.sh_degree,
        iterations=trained.iterations,
        planned_iterations=work.options.iterations,
        max_seconds=work.options.max_seconds,
        initialised_from=task.source,
        initial_gaussians=len(task.start.means),
        heldout=after if task.heldout else None,
        initial_heldout=before if task.heldout else None,
        final_tuning=final_tuning,
        train_psnr_db=trained.train_psnr_db,
        stopped=trained.stopped,
        training_seconds=trained.seconds,
        compile_seconds=seconds,
        seconds_per_iteration=trained.seconds / max(trained.iterations, 1),
        threads=threads,
        resumed_at=run.resumed_at,
        curve=tuple(run.early_stopping.curve),
        removed=removed,
    )


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a trainer works on, whatever it runs on."""

    photos: list[Photo]
    training: list[Photo]
    heldout: list[Photo]
    start: Gaussians
    source: str
    """dense or sparse: which points `start` was made of."""
    options: SplatOptions

    @property
    def judged(self) -> list[Photo]:
        """The photos that scores are taken on."""
        return self.heldout or self.training


def prepare(work: Work[SplatOptions]) -> Task:
    """Reads the input folder.

    Raises InputError where it lacks points or photos, StageError where it has too few of them.
    """
    reconstruction = read_cameras(work.input)
    points, source = read_points(work.input, reconstruction)
    require_views(len(reconstruction.views))
    views = sorted(reconstruction.views, key=lambda view: view.image)
    photos = [read_photo(work.input, view, work.options.max_side_px) for view in views]
    training, heldout = split_photos(photos, work.options.holdout_every)
    options = settled(work.options, len(training))
    start = starting_splat(points, options, reconstruction)
    return Task(
        photos=photos, training=training, heldout=heldout, start=start, source=source, options=options
    )


def require_views(count: int) -> None:
    """Raises StageError where so few photos leave the Gaussians free to fit them from nowhere else."""
    if count < _FEWEST_FOR_TRAINING:
        cause = f"Training needs {_FEWEST_FOR_TRAINING} aligned photos and has {count}."
        raise StageError(cause, "Take more photos around the object.")


def split_photos(photos: Sequence[Photo], holdout_every: int) -> tuple[list[Photo], list[Photo]]:
    """Photos to train on and every n-th to score with; none of fewer than 8 are held out.

    Counting starts in the middle of the first n: the ends of a path show what no other photo does, so they
    are worth more for training than as a score.
    """
    if holdout_every < 2 or len(photos) < _FEWEST_FOR_HOLDOUT:
        return list(photos), []
    held = set(range(holdout_every // 2, len(photos), holdout_every))
    training = [photo for index, photo in enumerate(photos) if index not in held]
    return training, [photos[index] for index in sorted(held)]


def publish(work: Work[SplatOptions], splat: Gaussians) -> None:
    """Writes `splat.ply`, its compressed twin, and the same as SPZ and glTF."""
    path = work.output / "splat.ply"
    write_splat_ply(path, splat)
    write_gzip(work.output / "splat.ply.gz", path)
    write_spz(work.output / "splat.spz", splat)
    write_splat_glb(work.output / "splat.glb", splat)
    log.info("wrote %d Gaussians to %s", len(splat.means), path)


def write_comparisons(folder: Path, rows: Float32, photos: Sequence[Photo], degree: int) -> None:
    """Writes `<index>.jpg` for each photo: what the splat shows on the left, the photo on the right."""
    for index, photo in enumerate(photos):
        folder.mkdir(parents=True, exist_ok=True)
        both = np.concatenate([picture(rows, photo, degree), photo.pixels], axis=1)
        cv2.imwrite(str(folder / f"{index:04d}.jpg"), cv2.cvtColor(both, cv2.COLOR_RGB2BGR))


def picture(rows: Float32, photo: Photo, degree: int) -> np.ndarray:
    """(H, W, 3) bytes: what the splat shows from a photo's camera."""
    return np.rint(draw(rows, photo, degree) * 255).astype(np.uint8).transpose(1, 2, 0)


def refuse_worse(before: Scores, after: Scores) -> None:
    """Raises StageError where the trained scores are not above the untrained ones."""
    if not after.psnr_db > before.psnr_db:
        raise StageError(
            f"Training did not improve the splat: {after.psnr_db:.2f} dB on held-out photos, "
            f"{before.psnr_db:.2f} dB before training.",
            "Allow more time with the option `splat.max_seconds`.",
        )


class _Run:
    """One training with checkpoints, evaluation and previews."""

    def __init__(self, work: Work[SplatOptions], task: Task, engine: Engine) -> None:
        self._engine = engine
        self._work, self._task = work, task
        self._recipe = recipe_for(task.options.recipe, len(task.training))
        rows = rows_from_gaussians(task.start, task.options.sh_degree)
        self._start = training_start(rows, self._recipe.start_opacity)
        mark = training_mark(self._start, task.training, task.options, self._recipe)
        self.checkpoints = Checkpoints(
            path=work.output / "checkpoint.npz", mark=mark, every_s=task.options.checkpoint_s
        )
        self.early_stopping = EarlyStopping(
            photos=task.heldout,
            degree=task.options.sh_degree,
            stop=task.options.early_stop,
            options=task.options.early_stopping,
            show=self._write_preview,
        )
        self.resumed_at = 0

    def train(self) -> Trained:
        resume = self.checkpoints.load()
        if resume is not None:
            self.resumed_at = int(resume["counts"][0])
            log.info("resuming at iteration %d", self.resumed_at)
        trained = train(
            self._start,
            self._task.training,
            self._task.options,
            recipe=self._recipe,
            report=self._work.progress.part(0.02, 0.95),
            hooks=(self.early_stopping, self.checkpoints),
            resume=resume,
            engine=self._engine,
        )
        log.info("%d iterations in %.1f s (%s)", trained.iterations, trained.seconds, trained.stopped)
        return trained

    def train_on_all(self, trained: Trained) -> tuple[Float32, FinalTuning]:
        """The published rows after the final fine-tuning on all photos, and its length."""
        task, report = self._task, self._work.progress.part(0.95, 0.97)
        last = train_on_all(
            trained,
            task.photos,
            task.training,
            task.options,
            self._recipe,
            report=report,
            engine=self._engine,
        )
        rows, _ = clean(last.rows, task.photos, task.start.means)
        return rows, FinalTuning(photos=len(task.photos), iterations=last.iterations)

    def _write_preview(self, done: float, rows: Float32) -> None:
        """`previews/<per mille done>.jpg`: the middle judged photo as the splat shows it now."""
        folder = self._work.output / "previews"
        folder.mkdir(exist_ok=True)
        photo = self._task.judged[len(self._task.judged) // 2]
        drawn = picture(rows, photo, self._task.options.sh_degree)
        path = folder / f"{round(1000 * done):04d}.jpg"
        cv2.imwrite(str(path), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
