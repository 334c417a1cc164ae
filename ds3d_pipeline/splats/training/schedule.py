"""When what happens in training, as functions of how much of it is done (0 to 1)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, QUAT, SH
from ds3d_pipeline.splats.options import Recipe


def recipe_for(recipe: Recipe, photos: int) -> Recipe:
    """The recipe for so many training photos: with its `few_photos` in place where they are few."""
    few = recipe.few_photos
    if photos >= few.below:
        return recipe
    return replace(recipe, sh_from=few.sh_from, sh_every=few.sh_every, rest_rate=few.rest_rate)


def polish(recipe: Recipe) -> Recipe:
    """The recipe of a last phase at full size: it begins where `recipe` ended and adds no Gaussians."""
    return replace(
        recipe,
        mean_rate_px=recipe.mean_rate_px * recipe.mean_rate_last,
        quat_rate=recipe.quat_rate * recipe.late_decay,
        scale_rate=recipe.scale_rate * recipe.late_decay,
        opacity_rate=recipe.opacity_rate * recipe.late_decay,
        dc_rate=recipe.dc_rate * recipe.late_decay,
        rest_rate=recipe.rest_rate * recipe.late_decay,
        exposure_rate=recipe.exposure_rate * recipe.late_decay,
        shrinks=((0.0, 1.0),),
        densify_times=0,
        sh_from=0.0,
        sh_every=1e-9,
    )


class Clock:
    """Fraction of the training that is done: of its iterations or of its seconds, whichever is further.

    `work` says which fraction of the time the first so many of the steps take.
    """

    def __init__(
        self,
        iterations: int,
        max_seconds: float,
        now: Callable[[], float] = time.perf_counter,
        work: Callable[[float], float] = float,
    ) -> None:
        self._iterations, self._max_seconds, self._now = iterations, max_seconds, now
        self._work = work
        self.set(0, 0.0)

    def set(self, iteration: int, seconds: float) -> None:
        """Goes on from here, as after a break that does not count."""
        self.iteration = iteration
        self._start = self._now() - seconds

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._now() - self._start

    @property
    def limit(self) -> str:
        """Which of the two limits is the nearer: iterations or seconds."""
        nearer = self.iteration / self._iterations >= self.seconds / self._max_seconds
        return "iterations" if nearer else "seconds"

    @property
    def seconds_left(self) -> float:
        """At most; the iterations may end earlier at the pace so far."""
        work = self._work(min(self.iteration / self._iterations, 1.0))
        by_steps = self.seconds * (1 - work) / work if work else math.inf
        return max(min(self._max_seconds - self.seconds, by_steps), 0.0)

    @property
    def passed(self) -> float:
        """The fraction of the time that has passed (0 to 1), as far as the pace so far lets foresee."""
        whole = self.seconds + self.seconds_left
        return self.seconds / whole if whole else 1.0

    @property
    def done(self) -> float:
        """0 to 1; from 1 on training is over. Exactly 0 before the first iteration, whatever the clock."""
        if self.iteration == 0 and self.seconds < self._max_seconds:
            return 0.0
        return max(self.iteration / self._iterations, self.seconds / self._max_seconds)


FIXED_COST = 0.25
"""Of a step at the full size, what does not depend on the number of pixels."""


def work_done(recipe: Recipe, done: float) -> float:
    """Which fraction of the time the first `done` of the steps take: early ones draw smaller photos."""
    return _cost(recipe, done) / _cost(recipe, 1.0)


def _cost(recipe: Recipe, done: float) -> float:
    ends = [start for start, _ in recipe.shrinks[1:]] + [1.0]
    return sum(
        max(min(done, end) - start, 0.0) * (FIXED_COST + (1 - FIXED_COST) / shrink**2)
        for (start, shrink), end in zip(recipe.shrinks, ends, strict=True)
    )


def shrink_at(recipe: Recipe, done: float) -> int:
    """How many times smaller than the training size photos are now."""
    return int([shrink for start, shrink in recipe.shrinks if done >= start][-1])


def sh_degree_at(recipe: Recipe, done: float, sh_degree: int) -> int:
    """The degree of harmonics that is trained now."""
    if done < recipe.sh_from:
        return 0
    return min(sh_degree, 1 + int((done - recipe.sh_from) / recipe.sh_every))


def wanted_at(recipe: Recipe, done: float, start: int, budget: int) -> int:
    """The number of Gaussians that training should have now: linear from `start` to `budget`."""
    fraction = (done - recipe.densify_from) / (recipe.densify_until - recipe.densify_from)
    return round(start + (budget - start) * min(max(fraction, 0.0), 1.0))


def fade_at(recipe: Recipe, done: float) -> float:
    """What the rates other than the means' are multiplied by."""
    late = max(done - recipe.late_from, 0) / (1 - recipe.late_from)
    return recipe.late_decay ** min(late, 1.0)


def rates_at(recipe: Recipe, done: float, pixel: float, columns: int) -> Float32:
    """(columns,) learning rates; `pixel` is the size of one pixel at the typical depth, scene units."""
    fade = fade_at(recipe, done)
    rates = np.full(columns, recipe.rest_rate * fade, np.float32)
    rates[:QUAT] = recipe.mean_rate_px * pixel * recipe.mean_rate_last ** min(done, 1.0)
    rates[QUAT:LOG_SCALE] = recipe.quat_rate * fade
    rates[LOG_SCALE:LOGIT] = recipe.scale_rate * fade
    rates[LOGIT] = recipe.opacity_rate * fade
    rates[SH : SH + 3] = recipe.dc_rate * fade
    return rates
