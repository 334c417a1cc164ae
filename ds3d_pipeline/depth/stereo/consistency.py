"""Which depths other views agree with, and the maps that remain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import prange
from numpy.typing import NDArray

from ds3d_pipeline.depth.options import ConsistencyOptions
from ds3d_pipeline.depth.stereo.levels import Level
from ds3d_pipeline.depth.stereo.matching_cost import round_trip_px
from ds3d_pipeline.depth.stereo.patchmatch import Planes
from ds3d_pipeline.depth.stereo.planar_prior import planar_prior
from ds3d_pipeline.depth.stereo.sky import sky_areas
from ds3d_pipeline.programs.jit import EXACT, parallel
from ds3d_pipeline.scene import UNCERTAIN_CONFIDENCE, UNSUPPORTED_CONFIDENCE, DepthMap, Float32


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """A map and how well it is supported."""

    map: DepthMap
    """Includes depth that was matched but found too little agreement, as uncertain."""
    agreeing: float
    """Mean number of other views that agree, over the pixels that were matched."""
    filled: float
    """Fraction of the map's pixels that come from the planar prior."""


def filtered_map(
    image: str, found: Planes, level: Level, grey: Float32, options: ConsistencyOptions
) -> Filtered:
    """The depths that enough source views agree with, without empty areas such as sky.

    `level` holds the planes of those views, `grey` (H, W) is the view's photo in [0, 1].

    Confidence is how well the patches correlate, times 1 - 2^-n for n agreeing views. Depth
    with one supporting view instead of two is kept as uncertain; fusion uses it only where few views see the
    surface.
    """
    agreeing = agreeing_views(found, level, options)
    kept = _consistent(found, agreeing, len(level.images.sources), options)
    supported = kept | ((agreeing >= 1) & (found.cost <= options.uncertain_cost))
    supported = _without_islands(found, supported, options)
    guessed, plain = planar_prior(found, kept, level, options.planar_prior)
    solid = ~sky_areas(kept, plain, level.textureless, grey, options.sky)
    kept, plain = kept & solid, plain & solid
    uncertain = ~kept & ~plain & (found.cost <= options.uncertain_cost)
    planes = np.where(plain[..., None], guessed, np.where((kept | uncertain)[..., None], found.planes, 0))
    confidence = np.clip(1 - found.cost, 0, 1) * (1 - np.exp2(-agreeing.astype(np.float32)))
    confidence = np.maximum(confidence, 2 * UNCERTAIN_CONFIDENCE) * kept
    confidence += np.where(supported & solid, UNCERTAIN_CONFIDENCE, UNSUPPORTED_CONFIDENCE) * uncertain
    confidence = np.where(plain, options.planar_prior_confidence, confidence)
    result = Planes(planes=planes.astype(np.float32), cost=found.cost, K=found.K)
    return Filtered(
        map=result.depth_map(image, confidence.astype(np.float32)),
        agreeing=float(agreeing[kept].mean()) if kept.any() else 0.0,
        filled=float(plain.mean()),
    )


def _consistent(
    found: Planes, agreeing: NDArray[np.uint8], sources: int, options: ConsistencyOptions
) -> NDArray[np.bool_]:
    """(H, W) pixels that enough views agree with, without small islands."""
    enough = agreeing >= min(options.min_agreeing, sources)
    enough |= (agreeing >= 1) & (found.cost <= options.sure_cost)
    return _without_islands(found, enough & (found.cost <= options.max_cost), options)


def _without_islands(
    found: Planes, kept: NDArray[np.bool_], options: ConsistencyOptions
) -> NDArray[np.bool_]:
    depth = np.where(kept, found.depth, 0).astype(np.float32)
    return kept & ~small_islands(depth, max(2, round(options.max_speckle * depth.size)), options.island_step)


def agreeing_views(found: Planes, level: Level, options: ConsistencyOptions) -> NDArray[np.uint8]:
    """(H, W) number of source views whose own planes give back the pixel and its depth."""
    agreeing = np.zeros(found.cost.shape, np.uint8)
    _count_agreeing(
        found.planes,
        level.images.planes,
        level.images.sizes_wh,
        level.images.warps,
        level.images.back_warps,
        options.max_round_trip_px,
        options.max_depth_change,
        agreeing,
    )
    return agreeing


@parallel(floats=EXACT, counted=False)
def _count_agreeing(
    planes: Float32, source_planes: Float32, sizes: Float32, warps: Float32, back_warps: Float32,
    max_px: float, max_change: float, agreeing: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Counts the views whose own planes give back a pixel and its depth.

    planes: (H, W, 3) float32, (w, wx, wy). source_planes: (V, H_s, W_s, 3) float32, those of the sources.
    sizes: (V, 2) float32, the sources' width and height in pixels. warps: (V, 12) float32 into the sources.
    back_warps: (V, 12) float32 from the sources. max_px: largest way from the pixel, there and back.
    max_change: largest relative difference in depth. agreeing: (H, W) uint8, counted up.
    """
    height, width = agreeing.shape
    half = np.float32(0.5)
    for y in prange(height):
        for x in range(width):
            w = planes[y, x, 0]
            px, py = np.float32(x) + half, np.float32(y) + half
            for view in range(len(warps)):
                warp, there = warps[view], source_planes[view]
                error = round_trip_px(there, sizes[view], warp, back_warps[view], x, y, w)
                if error > max_px:
                    continue
                z = warp[6] * px + warp[7] * py + warp[8] + warp[11] * w
                u = (warp[0] * px + warp[1] * py + warp[2] + warp[9] * w) / z
                v = (warp[3] * px + warp[4] * py + warp[5] + warp[10] * w) / z
                i, j = int(u), int(v)
                w_there = there[j, i, 0] + there[j, i, 1] * (u - i - half) + there[j, i, 2] * (v - j - half)
                # The depth in the source is z / w.
                if abs(w_there * z / w - 1) <= max_change:
                    agreeing[y, x] += 1


def small_islands(depth: Float32, max_px: int, step: float) -> NDArray[np.bool_]:
    """(H, W) pixels of connected patches of at most `max_px` pixels, cut where depth jumps by `step`."""
    known = depth > 0
    if not known.any():
        return known
    logs = np.log(np.where(known, depth, 1))
    low, high = logs[known].min(), logs[known].max()
    unit = max(step / 20, (high - low) / 32000)
    levels = np.where(known, np.round((logs - low) / unit) + 1, -30000).astype(np.int16)
    kept = levels.copy()
    cv2.filterSpeckles(kept, -30000, max_px, max(1, round(step / unit)))
    return known & (kept == -30000)
