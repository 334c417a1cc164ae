"""How long each stage takes, as a function of what it works on: photos, pixels, pairs, steps and CPU cores.

Straight lines, as in `memory`, fitted to the seconds (without compiling) of the demo, fox, fountain-P11 and
small synthetic captures on two cores without a graphics card. They are right within a factor of two; a
machine's own runs correct them, see `forecast`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.rungs import Load

MADE: tuple[str, ...] = STAGES[:-1]
FITTED_CORES = 2
PARALLEL = 0.8
"""With which power of the number of cores the work gets faster."""
NEIGHBOURS = 30
"""With at most so many others is a photo compared."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a run works on."""

    photos: int
    """Keyframes."""
    size_wh: tuple[int, int]
    """Of what was sent, in pixels."""
    options: Mapping[str, Any]
    """Of every stage."""
    frames: int = 0
    """Of the video; 0 where there are photos."""
    cores: int = FITTED_CORES

    def megapixels(self, max_side_px: float) -> float:
        """Of one photo that is at most so large."""
        return Load(size_wh=self.size_wh).megapixels(max_side_px)

    def on(self, photos: int) -> Workload:
        """The same with another number of photos."""
        return replace(self, photos=photos)


def usual_seconds(work: Workload) -> dict[str, float]:
    """What each stage should take on a machine like the one the lines were fitted on, but for its cores."""
    faster = (FITTED_CORES / work.cores) ** PARALLEL
    found = {stage: cost(work) * faster for stage, cost in _COSTS.items()}
    return found | {"splat": min(found["splat"], longest_splat(work))}


def longest_splat(work: Workload) -> float:
    """The splat's training has a cap of time; infinite where there is no training."""
    options = work.options["splat"]
    return _SPLAT_AROUND_S + options.max_seconds if options.train else float("inf")


def _capture(work: Workload) -> float:
    return 0.4 + 0.02 * work.photos


def _keyframes(work: Workload) -> float:
    pictures = work.frames or work.photos
    return 0.4 + 0.06 * pictures * work.megapixels(work.options["keyframes"].max_side_px * 2)


def _poses(work: Workload) -> float:
    side = work.options["poses"].max_side_px
    pairs = work.photos * min(work.photos - 1, NEIGHBOURS) / 2
    return 0.5 + work.photos * (0.4 + 0.8 * work.megapixels(side) ** 0.5) + 0.02 * pairs


def _depth_maps(work: Workload) -> float:
    options = work.options["depth_maps"]
    compared = min(options.source_views, max(work.photos - 1, 1))
    return 8 + 1.15 * compared * _depth_megapixels(work)


def _pointcloud(work: Workload) -> float:
    return 1.5 + 0.85 * _depth_megapixels(work)


def _depth_megapixels(work: Workload) -> float:
    return work.photos * work.megapixels(work.options["depth_maps"].max_side_px)


def _mesh(work: Workload) -> float:
    options = work.options["mesh"]
    surface = 5.0 * 3.5 ** (options.poisson_depth - 8)
    seen = 0.8 * work.photos * work.megapixels(work.options["keyframes"].max_side_px)
    return 2 + surface + (seen + 5 if options.texture_px else 0.0)


_SPLAT_AROUND_S = 5.0
"""For reading photos before training, and for writing and comparing after it."""


def _splat(work: Workload) -> float:
    options = work.options["splat"]
    if not options.train:
        return 2.0
    return _SPLAT_AROUND_S + options.iterations * (0.02 + 0.13 * work.megapixels(options.max_side_px))


QUICK = {"single": 3.0, "interpolation": 10.0, "card": 3.0, "relief": 5.0, "light": 5.0}
"""Seconds of the backends at the end of a ladder, however large the capture."""
_COSTS: dict[str, Callable[[Workload], float]] = {
    "capture": _capture,
    "keyframes": _keyframes,
    "poses": _poses,
    "depth_maps": _depth_maps,
    "pointcloud": _pointcloud,
    "mesh": _mesh,
    "splat": _splat,
}
"""Seconds, on `FITTED_CORES`."""


_SHAPES: dict[str, tuple[tuple[float, float], ...]] = {
    "capture": ((0.0, 0.0), (1.0, 0.9)),
    "keyframes": ((0.0, 0.0), (0.98, 0.8), (1.0, 0.97)),
    "poses": ((0.0, 0.0), (0.3, 0.27), (0.5, 0.6), (0.85, 0.75), (0.9, 0.85), (1.0, 0.95)),
    "depth_maps": ((0.0, 0.0), (0.5, 0.38), (0.9, 0.79), (1.0, 0.98)),
    "pointcloud": ((0.0, 0.0), (0.8, 0.42), (1.0, 0.88)),
    "mesh": ((0.0, 0.0), (0.05, 0.08), (0.3, 0.45), (0.4, 0.58), (0.6, 0.7), (0.95, 0.93), (1.0, 0.98)),
    "splat": ((0.0, 0.0), (0.97, 0.97), (1.0, 0.98)),
}
"""By stage, pairs of what a program says it has done and the part of its time that has passed then."""


def time_passed(stage: str, fraction: float) -> float:
    """The part of a stage's time (0 to 1) that has passed when its program says that `fraction` is done."""
    shape = _SHAPES[stage]
    for (before, start), (after, end) in pairwise(shape):
        if fraction <= after:
            return start + (end - start) * (fraction - before) / (after - before)
    return shape[-1][1]
