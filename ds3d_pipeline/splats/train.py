"""Training of a splat on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ds3d_pipeline.options import SplatOptions
from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.densify import densify
from ds3d_pipeline.splats.inputs import Photo, as_float, resized, scaled_K
from ds3d_pipeline.splats.layout import LOG_SCALE, LOGIT
from ds3d_pipeline.splats.losses import loss_and_gradient
from ds3d_pipeline.splats.optimizer import adam_step, fresh_state
from ds3d_pipeline.splats.render import render, render_backward
from ds3d_pipeline.splats.schedule import Clock, Recipe, rates_at, sh_degree_at, shrink_at, wanted_at
from ds3d_pipeline.splats.scores import photo_camera, psnr_of_error

Report = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training made and what it took."""

    rows: Float32
    iterations: int
    seconds: float
    train_psnr_db: float
    """Mean over the last pass through the training photos."""


def train(
    rows: Float32,
    photos: Sequence[Photo],
    options: SplatOptions,
    *,
    recipe: Recipe | None = None,
    report: Report | None = None,
) -> Trained:
    """Fits rows (N, D) to photos by gradient descent on (1 - w) L1 + w D-SSIM; `rows` is left as it is.

    Stops after `options.iterations` or `options.max_seconds`; the schedule is spread over whichever comes
    first. Equal seeds give equal results on one machine while the time limit is not what ends it.
    """
    trainer = Trainer(rows, photos, options, recipe or Recipe())
    while trainer.clock.done < 1:
        trainer.step()
        if report and trainer.clock.iteration % 10 == 0:
            report(trainer.clock.done, f"{len(trainer.rows)} Gaussians", **trainer.status())
    return Trained(
        rows=trainer.rows,
        iterations=trainer.clock.iteration,
        seconds=trainer.clock.seconds,
        train_psnr_db=trainer.recent_psnr_db(),
    )


class Trainer:
    """The state of one training."""

    def __init__(self, rows: Float32, photos: Sequence[Photo], options: SplatOptions, recipe: Recipe) -> None:
        self._options, self._recipe = options, recipe
        self._rng = np.random.default_rng(options.seed)
        self._pyramid = {shrink: [_shrunk(photo, shrink) for photo in photos] for _, shrink in recipe.shrinks}
        self.rows = rows.copy()
        self._pixel = pixel_size(rows, photos)
        self._start = len(rows)
        self._state = fresh_state(rows)
        self._queue: list[int] = []
        self._psnrs: list[float] = [0.0] * len(photos)
        self._densified = 0
        self._reset_pull()
        self.loss = 0.0
        self.clock = Clock(options.iterations, options.max_seconds)

    def step(self) -> None:
        """One photo: draw, compare, move; and densify when it is time."""
        done = self.clock.done
        chosen = self._next_photo()
        photo = self._pyramid[shrink_at(self._recipe, done)][chosen]
        degree = sh_degree_at(self._recipe, done, self._options.sh_degree)
        camera, target = photo_camera(photo), as_float(photo.pixels)
        drawn = render(self.rows, camera, degree)
        loss = loss_and_gradient(drawn.image, target, self._recipe.dssim_weight)
        self.loss, self._psnrs[chosen] = loss.value, psnr_of_error(loss.squared_error)
        grads = render_backward(self.rows, camera, degree, drawn, loss.grad)
        self._move(grads.rows, drawn.visible, done)
        self._pull += grads.pull
        self._seen += drawn.visible
        self.clock.iteration += 1
        self._densify_if_due(done)

    def status(self) -> dict[str, float]:
        """For the progress line."""
        return {"step": self.clock.iteration, "loss": self.loss, "psnr": self.recent_psnr_db()}

    def recent_psnr_db(self) -> float:
        """Mean over the latest drawing of each photo that was drawn yet."""
        drawn = [value for value in self._psnrs if value]
        return float(np.mean(drawn)) if drawn else 0.0

    def _move(self, grads: Float32, visible: np.ndarray, done: float) -> None:
        recipe, state, count = self._recipe, self._state, len(self.rows)
        adam_step(
            self.rows,
            grads,
            state.first,
            state.second,
            state.updates,
            visible,
            rates_at(recipe, done, self._pixel, self.rows.shape[1]),
            np.float32(recipe.opacity_pull / count),
            np.float32(recipe.scale_pull / (100 * self._pixel * count)),
        )

    def _densify_if_due(self, done: float) -> None:
        recipe = self._recipe
        due = recipe.densify_from + (recipe.densify_until - recipe.densify_from) * (
            self._densified / recipe.densify_times
        )
        if done < due or done > recipe.densify_until + 0.05:
            return
        self._densified += 1
        budget = max(self._options.max_gaussians, self._start)
        self.rows, self._state = densify(
            self.rows,
            self._state,
            np.asarray(self._pull / np.maximum(self._seen, 1), np.float32),
            wanted=wanted_at(recipe, done, self._start, budget),
            dead_opacity=recipe.dead_opacity,
            rng=self._rng,
        )
        self._reset_pull()

    def _reset_pull(self) -> None:
        self._pull = np.zeros(len(self.rows), np.float32)
        self._seen = np.zeros(len(self.rows), np.float32)

    def _next_photo(self) -> int:
        if not self._queue:
            self._queue = list(self._rng.permutation(len(self._psnrs)))
        return self._queue.pop()


def training_start(rows: Float32, opacity: float) -> Float32:
    """Rows of a light splat made ready: less opaque and less flat, so that light reaches what lies behind."""
    started = rows.copy()
    started[:, LOGIT] = np.log(opacity / (1 - opacity))
    thickest = started[:, LOG_SCALE:LOGIT].max(axis=1, keepdims=True)
    started[:, LOG_SCALE:LOGIT] = np.maximum(started[:, LOG_SCALE:LOGIT], thickest + np.log(0.3))
    return started


def pixel_size(rows: Float32, photos: Sequence[Photo]) -> float:
    """Size of one pixel of the photos at the median depth of the Gaussians before them, scene units."""
    sizes = []
    for photo in photos:
        depths = rows[:, :3] @ photo.cam_from_world[2, :3] + photo.cam_from_world[2, 3]
        in_front = depths[depths > 0]
        if len(in_front):
            sizes.append(np.median(in_front) / photo.K[0, 0])
    return float(np.median(sizes)) if sizes else 1e-3


def _shrunk(photo: Photo, shrink: int) -> Photo:
    if shrink == 1:
        return photo
    height, width = photo.pixels.shape[:2]
    size_wh = (max(width // shrink, 1), max(height // shrink, 1))
    return Photo(
        name=photo.name,
        pixels=resized(photo.pixels, size_wh),
        K=scaled_K(photo.K, (width, height), size_wh),
        cam_from_world=photo.cam_from_world,
    )
