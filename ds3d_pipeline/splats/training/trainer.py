"""Training of a splat on the CPU."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from ds3d_pipeline.programs.words import count
from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.kernels.adam import AdamState, adam_step, fresh_state
from ds3d_pipeline.splats.kernels.losses import Loss, loss_and_gradient
from ds3d_pipeline.splats.kernels.mip_filter import filter_variance, filtered, filtered_backward
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, QUAT, SH
from ds3d_pipeline.splats.kernels.render import BLACK, Engine, KernelEngine
from ds3d_pipeline.splats.options import Recipe, SplatOptions
from ds3d_pipeline.splats.training.densify import densify
from ds3d_pipeline.splats.training.exposure import Exposure, slow_patterns
from ds3d_pipeline.splats.training.photos import Photo, Pyramid, as_float
from ds3d_pipeline.splats.training.schedule import (
    Clock,
    fade_at,
    rates_at,
    recipe_for,
    sh_degree_at,
    shrink_at,
    wanted_at,
    work_done,
)
from ds3d_pipeline.splats.training.scores import photo_camera, psnr_of_error

log = logging.getLogger(__name__)


def compile_kernels() -> float:
    """Trains a splat of one Gaussian on one small picture for one step; returns the seconds it took."""
    start = time.perf_counter()
    row = np.zeros((1, SH + 3), np.float32)
    row[0, 2], row[0, QUAT], row[0, LOG_SCALE : LOG_SCALE + 3] = 1, 1, -3
    K = np.array([[32.0, 0, 16], [0, 32, 16], [0, 0, 1]])
    photo = Photo(name="", pixels=np.zeros((32, 32, 3), np.uint8), K=K, cam_from_world=np.eye(4))
    train(row, [photo], SplatOptions(iterations=1, max_seconds=1e6, max_gaussians=1, sh_degree=0))
    seconds = time.perf_counter() - start
    log.info("kernels ready after %.1f s", seconds)
    return seconds


Report = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training made and what it took."""

    rows: Float32
    iterations: int
    seconds: float
    train_psnr_db: float
    """Mean over the last epoch of training photos, each with its own exposure."""
    stopped: str
    """Why it ended: iterations, seconds or stalled."""
    state: dict[str, np.ndarray]
    """Of the trainer at its end; see `Trainer.state`."""


def train(
    rows: Float32,
    photos: Sequence[Photo],
    options: SplatOptions,
    *,
    recipe: Recipe | None = None,
    report: Report | None = None,
    hooks: Sequence[Callable[[Trainer], bool]] = (),
    resume: Mapping[str, np.ndarray] | None = None,
    now: Callable[[], float] | None = None,
    engine: Engine | None = None,
) -> Trained:
    """Fits rows (N, D) to photos by gradient descent on (1 - w) L1 + w D-SSIM; `rows` is left as it is.

    Stops after `options.iterations` or `options.max_seconds`; the schedule is spread over whichever comes
    first. Equal seeds give equal results on one machine while the time limit is not what ends it. Hooks are
    called after every step and end the training by returning True; `resume` is what `Trainer.state` returned,
    `now` the clock that seconds are read from, `engine` what draws (by default this package's kernels).
    """
    trainer = Trainer(rows, photos, options, recipe or recipe_for(options.recipe, len(photos)), now, engine)
    if resume is not None:
        trainer.restore(resume)
    stalled = False
    while trainer.clock.done < 1 and not stalled:
        trainer.step()
        if report and trainer.clock.iteration % 10 == 0:
            report(trainer.clock.passed, trainer.message(), **trainer.status())
        stalled = any([hook(trainer) for hook in hooks])
    return trainer.finish("stalled" if stalled else trainer.clock.limit)


class Trainer:
    """The state of one training."""

    def __init__(
        self,
        rows: Float32,
        photos: Sequence[Photo],
        options: SplatOptions,
        recipe: Recipe,
        now: Callable[[], float] | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._engine = engine or KernelEngine()
        self._options, self._recipe, self._photos = options, recipe, photos
        self._rng = np.random.default_rng(options.seed)
        self._pyramid = Pyramid(photos)
        self.rows = rows.copy()
        self._pixel = pixel_size(rows, photos)
        self._cameras = KDTree([photo.centre_in_world for photo in photos])
        self._start = len(rows)
        self._state = fresh_state(rows)
        self._exposure = Exposure(slow_patterns(photos))
        self._queue: list[int] = []
        self._psnrs = np.zeros(len(photos))
        self._densified = 0
        self._after_densifying()
        self.loss = 0.0
        self.clock = Clock(
            options.iterations,
            options.max_seconds,
            now or time.perf_counter,
            partial(work_done, recipe),
        )

    def step(self) -> None:
        """One photo: draw, compare, move; and densify when it is time."""
        done = self.clock.done
        chosen = self._next_photo()
        photo = self._pyramid.photo(chosen, shrink_at(self._recipe, done))
        degree, camera = sh_degree_at(self._recipe, done, self._options.sh_degree), photo_camera(photo)
        shown = self.shown_rows()
        drawn = self._engine.render(shown, camera, degree, self._background())
        image_grad = self._compare(chosen, photo, drawn.image, done)
        grads = self._engine.backward(shown, camera, degree, drawn, image_grad)
        if self._options.mip_filter:
            filtered_backward(self.rows, self._variance, shown, grads.rows)
        self._move(grads.rows, drawn.visible, done)
        self._absgrad += grads.absgrad
        self._seen += drawn.visible
        self.clock.iteration += 1
        self._densify_if_due(done)

    def shown_rows(self) -> Float32:
        """The rows as they are drawn and published."""
        if not self._options.mip_filter:
            return self.rows
        shown = np.empty_like(self.rows)
        filtered(self.rows, self._variance, shown)
        return shown

    def message(self) -> str:
        """Steps and size, for the progress line."""
        steps = f"step {count(self.clock.iteration)} of {count(self._options.iterations)}"
        return f"{steps}, {count(len(self.rows))} Gaussians"

    def status(self) -> dict[str, float]:
        """For the progress line."""
        return {
            "step": self.clock.iteration,
            "loss": self.loss,
            "psnr": self.recent_psnr_db(),
            "gaussians": len(self.rows),
            "seconds_left": self.clock.seconds_left,
        }

    def recent_psnr_db(self) -> float:
        """Mean over the latest drawing of each photo that was drawn yet."""
        drawn = self._psnrs[self._psnrs > 0]
        return float(drawn.mean()) if len(drawn) else 0.0

    def finish(self, stopped: str) -> Trained:
        """The result so far."""
        return Trained(
            rows=self.shown_rows(),
            iterations=self.clock.iteration,
            seconds=self.clock.seconds,
            train_psnr_db=self.recent_psnr_db(),
            stopped=stopped,
            state=self.state(),
        )

    def state(self) -> dict[str, np.ndarray]:
        """All that `restore` needs to go on as if there had been no break."""
        counts = [self.clock.iteration, self._densified, self._start]
        return {
            "rows": self.rows,
            **vars(self._state),
            **{f"exposure_{name}": value for name, value in self._exposure.state().items()},
            "variance": self._variance,
            "most_log_scale": self._most_log_scale,
            "absgrad": self._absgrad,
            "seen": self._seen,
            "queue": np.array(self._queue, np.int64),
            "psnrs": self._psnrs,
            "counts": np.array(counts, np.int64),
            "seconds": np.array(self.clock.seconds),
            "pixel": np.array(self._pixel),
            "rng": np.array(json.dumps(self._rng.bit_generator.state)),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores what `state` returned."""
        self.rows = state["rows"]
        self._state = AdamState(first=state["first"], second=state["second"], updates=state["updates"])
        for name in self._exposure.state():
            setattr(self._exposure, name, state[f"exposure_{name}"])
        iteration, self._densified, self._start = (int(value) for value in state["counts"])
        self._variance, self._absgrad, self._seen = state["variance"], state["absgrad"], state["seen"]
        self._most_log_scale = state["most_log_scale"]
        self._queue = [int(value) for value in state["queue"]]
        self._psnrs, self._pixel = state["psnrs"], float(state["pixel"])
        self._rng.bit_generator.state = json.loads(str(state["rng"]))
        self.clock.set(iteration, float(state["seconds"]))

    def _background(self) -> Float32:
        if not self._recipe.random_background:
            return BLACK
        return self._rng.random(3, np.float32)

    def _compare(self, chosen: int, photo: Photo, image: Float32, done: float) -> Float32:
        """The gradient of the loss by the drawn image; also takes down how well it fits."""
        exposed = self._exposure.applied(chosen, image) if self._options.exposure else image
        loss = loss_against(photo, exposed, self._recipe.dssim_weight)
        self.loss, self._psnrs[chosen] = loss.value, psnr_of_error(loss.squared_error)
        if not self._options.exposure:
            return loss.grad
        rate = self._recipe.exposure_rate * fade_at(self._recipe, done)
        return self._exposure.learn(chosen, loss, rate)

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
            np.float32(recipe.opacity_reg / count),
            np.float32(recipe.scale_reg / (100 * self._pixel * count)),
        )

    def _densify_if_due(self, done: float) -> None:
        recipe = self._recipe
        if not recipe.densify_times:
            return
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
            np.asarray(self._absgrad / np.maximum(self._seen, 1), np.float32),
            wanted=wanted_at(recipe, done, self._start, budget),
            dead_opacity=recipe.dead_opacity,
            rng=self._rng,
        )
        self._after_densifying()

    def _after_densifying(self) -> None:
        self._absgrad = np.zeros(len(self.rows), np.float32)
        self._seen = np.zeros(len(self.rows), np.float32)
        filtering = self._photos if self._options.mip_filter else ()
        self._variance = filter_variance(self.rows[:, :3], filtering)
        distance = self._cameras.query(self.rows[:, :3])[0]
        self._most_log_scale = np.log(self._recipe.max_scale * np.maximum(distance, 1e-12))[:, None]
        self._limit_scales()

    def _limit_scales(self) -> None:
        """Keeps Gaussians from veiling a view between the cameras whose near plane hides them from each."""
        scales = self.rows[:, LOG_SCALE:LOGIT]
        np.minimum(scales, self._most_log_scale, out=scales)

    def _next_photo(self) -> int:
        if not self._queue:
            self._limit_scales()
            self._queue = [int(index) for index in self._rng.permutation(len(self._psnrs))]
        return self._queue.pop()


def loss_against(photo: Photo, image: Float32, dssim_weight: float) -> Loss:
    """The loss of `image` (3, H, W) against the photo, to which masked pixels add nothing."""
    target = as_float(photo.pixels)
    if photo.mask is None:
        return loss_and_gradient(image, target, dssim_weight)
    hidden = photo.mask == 0
    target[:, hidden] = image[:, hidden]
    loss = loss_and_gradient(image, target, dssim_weight)
    loss.grad[:, hidden] = 0
    return replace(
        loss,
        squared_error=loss.squared_error / max(1 - float(hidden.mean()), 1e-6),
        by_log_gain=(loss.grad * image).sum(axis=(1, 2), dtype=np.float64),
    )


def pixel_size(rows: Float32, photos: Sequence[Photo]) -> float:
    """Size of one pixel of the photos at the median depth of the Gaussians before them, scene units."""
    sizes = []
    for photo in photos:
        depths = rows[:, :3] @ photo.cam_from_world[2, :3] + photo.cam_from_world[2, 3]
        in_front = depths[depths > 0]
        if len(in_front):
            sizes.append(np.median(in_front) / photo.K[0, 0])
    return float(np.median(sizes)) if sizes else 1e-3
