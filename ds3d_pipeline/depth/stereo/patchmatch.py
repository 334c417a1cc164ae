"""PatchMatch multi-view stereo on the CPU: one view's planes, coarse to fine.

The scheme of Galliani et al. (2015) and Xu and Tao (2019) with the pixelwise choice of views of Schönberger
et al. (2016), over a pyramid, from planes between the sparse points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ds3d_pipeline.depth.interpolation import fill_triangles, normals_of_planes
from ds3d_pipeline.depth.stereo import propagation
from ds3d_pipeline.depth.stereo.arguments import (
    AMPLITUDE_PX,
    AMPLITUDE_TILT,
    EVERYWHERE,
    FOCAL_PX,
    GREATEST_W,
    LEAST_W,
    W_PER_PX,
)
from ds3d_pipeline.depth.stereo.levels import Level, make_level
from ds3d_pipeline.depth.stereo.pyramid import GreyLevel
from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.scene import DepthMap, Float32, Float64, Reconstruction, View

MAX_CHOSEN = 4
VIEW_SLACK = 0.1
"""A fourth view counts if it costs at most this much more than the best."""
POLISH_PX = (0.25, 0.15)
"""Steps of the polish that ends the work on a view."""


@dataclass(frozen=True, kw_only=True)
class Sweeps:
    """The sweeps of one level: how often, and the amplitude of the refinement at first."""

    times: int
    amplitude_px: float
    amplitude_tilt: float
    everywhere: bool
    polish_px: tuple[float, ...] = ()
    """Steps of the polish after the propagation."""


SCHEDULE = (
    Sweeps(times=3, amplitude_px=1.0, amplitude_tilt=0.4, everywhere=False, polish_px=POLISH_PX[:1]),
    Sweeps(times=6, amplitude_px=4.0, amplitude_tilt=1.0, everywhere=True),
)
"""Finest level first."""
AGREEMENT = Sweeps(times=1, amplitude_px=0.4, amplitude_tilt=0.2, everywhere=False)


@dataclass(frozen=True, kw_only=True)
class Planes:
    """What matching finds for one view."""

    planes: Float32
    """(H, W, 3): inverse depth and its slopes along x and y, per pixel."""
    cost: Float32
    """(H, W) 1 - NCC, mean over the pixel's views, in [0, 2]."""
    K: Float64
    """(3, 3), pixels of the map."""

    @property
    def depth(self) -> Float32:
        """(H, W) scene units, 0 where the inverse depth is 0."""
        w = self.planes[..., 0]
        return np.divide(np.float32(1), w, out=np.zeros_like(w), where=w > 0)

    def depth_map(self, image: str, confidence: Float32) -> DepthMap:
        """As the pipeline's record; all zero where the inverse depth is 0."""
        return DepthMap(image=image, depth=self.depth, normals=self.normals, confidence=confidence, K=self.K)

    @property
    def normals(self) -> Float32:
        """(H, W, 3) unit, towards the camera; 0 where the plane is all zero."""
        slopes_then_w = self.planes[..., [1, 2, 0]].astype(np.float64)
        return normals_of_planes(slopes_then_w, self.K).astype(np.float32)


def match_view(
    views: Sequence[View], pyramids: Sequence[tuple[GreyLevel, ...]], model: Reconstruction, seed: int = 0
) -> Planes:
    """The planes of views[0], matched with the other views; `pyramids` are theirs, finest level first.

    Raises ValueError for fewer than two views, or a view that sees no point of the model.
    """
    if len(views) < 2:
        raise ValueError(f"stereo needs at least two views, got {len(views)}")
    points, w_range = model.points_in_world[views[0].point_ids], view_range(views[0], model)
    planes = cost = np.empty(0, np.float32)
    for index in reversed(range(len(pyramids[0]))):
        level = make_level(views, [pyramid[index] for pyramid in pyramids], w_range)
        if planes.size == 0:
            planes = initial_planes(views[0], level.K, level.size_wh, points, w_range, seed)
        else:
            planes = _enlarged(planes, level.size_wh)
        cost = _refine(level, planes, SCHEDULE[min(index, len(SCHEDULE) - 1)], seed + 1000 * index)
    return Planes(planes=planes, cost=cost, K=pyramids[0][0].K)


def agree_view(
    views: Sequence[View],
    levels: Sequence[GreyLevel],
    found: Sequence[Planes],
    model: Reconstruction,
    seed: int = 0,
) -> Planes:
    """The planes of views[0] at the size of `levels`, in agreement with the others' planes.

    The geometric consistency term of Schönberger et al. (2016), section 4.4: it decides where texture does
    not. `found` has what `match_view` gave for every one of the views, at this size or a smaller one.
    """
    sizes = [level.pixels.shape[::-1] for level in levels]
    planes, *others = (_enlarged(one.planes, size) for one, size in zip(found, sizes, strict=True))
    level = make_level(views, levels, view_range(views[0], model), others)
    _refine(level, planes, AGREEMENT, seed)
    # Agreement chose the surface; its exact position comes from the photos alone.
    cost = _polish(level.without_agreement, planes, POLISH_PX)
    return Planes(planes=planes, cost=cost, K=levels[0].K)


def _enlarged(planes: Float32, size_wh: tuple[int, int]) -> Float32:
    fine = np.empty((size_wh[1], size_wh[0], 3), np.float32)
    propagation.enlarge(planes, fine)
    return fine


def view_range(view: View, model: Reconstruction) -> tuple[float, float]:
    """Least and greatest inverse depth worth a try, from the depths of the view's sparse points.

    A far background may hold no sparse point, and in inverse depth it costs little to search there.
    """
    depth = project(view.K, view.cam_from_world, model.points_in_world[view.point_ids])[1]
    inverse = 1 / depth[depth > 0]
    if len(inverse) == 0:
        raise ValueError(f"{view.image} sees no sparse point in front of it")
    low, high = np.percentile(inverse, [1, 99])
    return float(low / 10), float(high * 1.5)


def initial_planes(
    view: View,
    K: Float64,
    size_wh: tuple[int, int],
    points: Float64,
    w_range: tuple[float, float],
    seed: int,
) -> Float32:
    """(H, W, 3) planes through the sparse points where they surround a pixel, elsewhere random ones."""
    pixels, depth = project(K, view.cam_from_world, points)
    front = depth > 0
    filled, _ = fill_triangles(pixels[front], 1 / depth[front], size_wh)
    random = np.random.default_rng(seed)
    planes = np.zeros_like(filled)
    planes[..., 0] = random.uniform(*w_range, size=planes.shape[:2])
    known = filled[..., 2] > 0
    planes[known] = filled[known][:, [2, 0, 1]]
    planes[..., 0] = np.clip(planes[..., 0], *w_range)
    return planes.astype(np.float32)


def _refine(level: Level, planes: Float32, sweeps: Sweeps, seed: int) -> Float32:
    """Sweeps over one level; changes the planes in place and returns their cost."""
    cost = np.empty(planes.shape[:2], np.float32)
    chosen = np.full((*cost.shape, MAX_CHOSEN), -1, np.int8)
    images = level.images
    if sweeps.everywhere:
        propagation.rate(planes, cost, images)
    else:
        propagation.choose_views(planes, cost, chosen, images, VIEW_SLACK)
    for time in range(sweeps.times):
        search = _search(level, sweeps, 0.5**time)
        for color in (0, 1):
            propagation.sweep(planes, cost, chosen, images, search, color, seed + 2 * time + color)
    return _polish(level, planes, sweeps.polish_px) if sweeps.polish_px else cost


def _polish(level: Level, planes: Float32, steps_px: Sequence[float]) -> Float32:
    """Moves the planes step by step to the minimum nearby; returns their cost before the last move."""
    cost = np.empty(planes.shape[:2], np.float32)
    chosen = np.full((*cost.shape, MAX_CHOSEN), -1, np.int8)
    propagation.choose_views(planes, cost, chosen, level.images, VIEW_SLACK)
    steps = np.array(steps_px, np.float32) * np.float32(level.w_per_px)
    propagation.polish(planes, cost, chosen, level.images, steps)
    return cost


def _search(level: Level, sweeps: Sweeps, fade: float) -> Float32:
    """(7,) how far each of the sweeps searches; `fade` shrinks its random changes."""
    search = np.empty(7, np.float32)
    search[W_PER_PX] = level.w_per_px
    search[AMPLITUDE_PX], search[AMPLITUDE_TILT] = sweeps.amplitude_px * fade, sweeps.amplitude_tilt * fade
    search[LEAST_W], search[GREATEST_W] = level.w_range
    search[FOCAL_PX] = (level.K[0, 0] + level.K[1, 1]) / 2
    search[EVERYWHERE] = sweeps.everywhere
    return search
