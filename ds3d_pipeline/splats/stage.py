"""The bodies of the splat program, one a backend."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import cv2
import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.splat_ply import write_gzip, write_splat_ply
from ds3d_pipeline.options import SplatOptions
from ds3d_pipeline.program import Work
from ds3d_pipeline.scene import Float32, Gaussians
from ds3d_pipeline.splats.clean import clean
from ds3d_pipeline.splats.inputs import Photo, read_cameras, read_photo, read_points
from ds3d_pipeline.splats.layout import gaussians_from_rows, rows_from_gaussians
from ds3d_pipeline.splats.light import light_splat
from ds3d_pipeline.splats.schedule import Recipe
from ds3d_pipeline.splats.scores import Scores, draw, score
from ds3d_pipeline.splats.train import Trained, train, training_start
from ds3d_pipeline.splats.warm import compile_kernels

log = logging.getLogger(__name__)
_FEWEST_FOR_HOLDOUT = 8
_FEWEST_FOR_TRAINING = 3
_GAUSSIANS_PER_SECOND = 500
"""More Gaussians than this per second of the time limit do not settle within it on two cores."""


def light(work: Work[SplatOptions]) -> dict[str, Any]:
    """The untrained splat: one Gaussian per dense point, or per sparse point where there is no other.

    Raises InputError where the input folder has no points.
    """
    points, source = read_points(work.input, read_cameras(work.input))
    work.progress(0.2, f"{len(points.points_in_world)} {source} points")
    options = work.options
    splat = light_splat(points, max_gaussians=options.max_gaussians, seed=options.seed)
    publish(work, splat)
    work.progress(1.0, f"{len(splat.means)} Gaussians")
    return {"gaussians": len(splat.means), "iterations": 0, "initialised_from": source}


def cpu(work: Work[SplatOptions]) -> dict[str, Any]:
    """The splat trained on the CPU, scored on photos that training never saw.

    Raises StageError where training ends further from those photos than the untrained splat it began with,
    InputError where the input folder lacks points or photos.
    """
    reconstruction = read_cameras(work.input)
    points, source = read_points(work.input, reconstruction)
    require_views(len(reconstruction.views))
    views = sorted(reconstruction.views, key=lambda view: view.image)
    photos = [read_photo(work.input, view, work.options.max_side_px) for view in views]
    training, heldout = split_photos(photos, work.options.holdout_every)
    seconds = compile_kernels(lambda: work.progress(0.01, "compiling kernels (once per machine)"))
    options = replace(work.options, max_gaussians=gaussian_budget(work.options))
    start = light_splat(points, max_gaussians=options.max_gaussians, seed=options.seed)
    judged = heldout or training
    before = score(rows_from_gaussians(start, 0), judged, 0)
    trained = _train(work, start, training, options)
    rows, removed = clean(trained.rows, photos)
    after = score(rows, judged, options.sh_degree)
    refuse_worse(before, after)
    publish(work, gaussians_from_rows(rows))
    write_comparisons(work, rows, heldout, options.sh_degree)
    work.progress(1.0, f"{len(rows)} Gaussians", psnr=after.psnr_db)
    return {
        "gaussians": len(rows),
        "iterations": trained.iterations,
        "initialised_from": source,
        "initial_gaussians": len(start.means),
        "heldout": asdict(after) if heldout else None,
        "initial_heldout": asdict(before) if heldout else None,
        "train_psnr_db": trained.train_psnr_db,
        "training_seconds": trained.seconds,
        "compile_seconds": seconds,
        "seconds_per_iteration": trained.seconds / max(trained.iterations, 1),
        "removed": removed,
    }


def require_views(count: int) -> None:
    """Raises StageError where so few photos leave the Gaussians free to fit them from nowhere else."""
    if count < _FEWEST_FOR_TRAINING:
        cause = f"Training needs {_FEWEST_FOR_TRAINING} placed photos and has {count}."
        raise StageError(cause, "Film again around the object, or use the light splat.")


def gaussian_budget(options: SplatOptions) -> int:
    """The most Gaussians that training grows to: what was asked for, or what the time limit can settle."""
    return min(options.max_gaussians, max(round(_GAUSSIANS_PER_SECOND * options.max_seconds), 1))


def split_photos(photos: Sequence[Photo], holdout_every: int) -> tuple[list[Photo], list[Photo]]:
    """Photos to train on and every n-th to score with; none of fewer than 8 are held out.

    Counting starts in the middle of the first n: the ends of a path show what no other photo does, so they
    are worth more for training and say less as a score.
    """
    if holdout_every < 2 or len(photos) < _FEWEST_FOR_HOLDOUT:
        return list(photos), []
    held = set(range(holdout_every // 2, len(photos), holdout_every))
    training = [photo for index, photo in enumerate(photos) if index not in held]
    return training, [photos[index] for index in sorted(held)]


def publish(work: Work[SplatOptions], splat: Gaussians) -> None:
    """Writes `splat.ply` and its compressed twin."""
    path = work.output / "splat.ply"
    write_splat_ply(path, splat)
    write_gzip(work.output / "splat.ply.gz", path)
    log.info("wrote %d Gaussians to %s", len(splat.means), path)


def write_comparisons(work: Work[SplatOptions], rows: Float32, photos: Sequence[Photo], degree: int) -> None:
    """Writes `heldout/<photo>.jpg`: what the splat shows on the left, the photo on the right."""
    folder = work.output / "heldout"
    for index, photo in enumerate(photos):
        folder.mkdir(exist_ok=True)
        drawn = np.rint(draw(rows, photo, degree) * 255).astype(np.uint8).transpose(1, 2, 0)
        both = np.concatenate([drawn, photo.pixels], axis=1)
        cv2.imwrite(str(folder / f"{index:04d}.jpg"), cv2.cvtColor(both, cv2.COLOR_RGB2BGR))


def _train(
    work: Work[SplatOptions], start: Gaussians, photos: Sequence[Photo], options: SplatOptions
) -> Trained:
    recipe = Recipe()
    rows = training_start(rows_from_gaussians(start, options.sh_degree), recipe.start_opacity)
    began = time.perf_counter()
    trained = train(rows, photos, options, recipe=recipe, report=work.progress.part(0.02, 0.97))
    log.info("%d iterations in %.1f s", trained.iterations, time.perf_counter() - began)
    return trained


def refuse_worse(before: Scores, after: Scores) -> None:
    """Raises StageError where the trained scores are not above the untrained ones."""
    if not after.psnr_db > before.psnr_db:
        raise StageError(
            f"Training ended at {after.psnr_db:.2f} dB on photos it had not seen, "
            f"the untrained splat has {before.psnr_db:.2f} dB.",
            "Give training more seconds, or use the light splat.",
        )
