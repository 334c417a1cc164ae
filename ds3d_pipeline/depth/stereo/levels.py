"""One level of the pyramid as the kernels want it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.stereo.arguments import Images
from ds3d_pipeline.depth.stereo.matching_cost import PAD_PX, SAMPLES, WIDE_STRIDE, patch_weights
from ds3d_pipeline.depth.stereo.pyramid import GreyLevel
from ds3d_pipeline.geometry.transforms import invert_rigid
from ds3d_pipeline.scene import Float32, Float64, View

GEOMETRIC_WEIGHT = 0.2
"""Cost of a pixel of disagreement with another view's map, where those are known."""
NO_PLANES: Float32 = np.empty((0, 0, 0, 3), np.float32)


@dataclass(frozen=True, kw_only=True)
class Level:
    """The reference patch statistics and the source views of one level."""

    images: Images
    """What the kernels take."""
    K: Float64
    """(3, 3) of the reference at this level."""
    w_range: tuple[float, float]

    @property
    def size_wh(self) -> tuple[int, int]:
        """Of the reference."""
        height, width = self.images.variance.shape
        return width, height

    @property
    def textureless(self) -> NDArray[np.bool_]:
        """(H, W) pixels of the reference whose patches had to be widened."""
        return self.images.strides == WIDE_STRIDE

    @property
    def w_per_px(self) -> float:
        """The inverse depth that moves the match by one pixel, in the middle one of the sources."""
        return float(1 / np.median(np.linalg.norm(self.images.warps[:, 9:], axis=1)))

    @property
    def without_agreement(self) -> Level:
        """The same with the photos alone."""
        return replace(self, images=self.images._replace(weight=np.float32(0), planes=NO_PLANES))


def make_level(
    views: Sequence[View],
    levels: Sequence[GreyLevel],
    w_range: tuple[float, float],
    source_planes: Sequence[Float32] = (),
) -> Level:
    """The level of views[0] against the others, with their planes (H, W, 3) where those are known."""
    reference, others = levels[0], levels[1:]
    pairs = list(zip(views[1:], others, strict=True))
    pose, height, width = views[0].cam_from_world, *reference.pixels.shape
    weights, centred = np.empty((2, height, width, SAMPLES), np.float32)
    variance, strides = np.empty((2, height, width), np.float32)
    patch_weights(np.ascontiguousarray(reference.pixels), weights, centred, variance, strides)
    padded = [np.pad(level.pixels, PAD_PX, mode="reflect") for level in others]
    forward = [warp(reference.K, level.K, pose, view.cam_from_world) for view, level in pairs]
    back = [warp(level.K, reference.K, view.cam_from_world, pose) for view, level in pairs]
    images = Images(
        weights=weights,
        centred=centred,
        variance=variance,
        strides=strides,
        sources=stack_arrays(padded),
        sizes_wh=np.array([level.pixels.shape[::-1] for level in others], np.float32),
        warps=np.array(forward, np.float32),
        back_warps=np.array(back, np.float32),
        weight=np.float32(GEOMETRIC_WEIGHT if source_planes else 0),
        planes=stack_arrays(source_planes) if source_planes else NO_PLANES,
    )
    return Level(images=images, K=reference.K, w_range=w_range)


def stack_arrays(arrays: Sequence[Any]) -> Float32:
    """(N, H, W, ...) of arrays of several sizes: the greatest height and width, zeros beyond each."""
    shape = np.max([array.shape for array in arrays], axis=0)
    stacked = np.zeros((len(arrays), *shape), np.float32)
    for index, array in enumerate(arrays):
        stacked[index, : array.shape[0], : array.shape[1]] = array
    return stacked


def warp(
    K_reference: Float64, K_source: Float64, reference_from_world: Float64, source_from_world: Float64
) -> Float64:
    """(12,) A = K_s R K_r^-1 row by row, then b = K_s t, of source_from_reference = (R, t).

    A pixel p = (u, v, 1) of inverse depth w is seen in the source at A p + w b.
    """
    source_from_reference = source_from_world @ invert_rigid(reference_from_world)
    A = K_source @ source_from_reference[:3, :3] @ np.linalg.inv(K_reference)
    return np.concatenate([A.ravel(), K_source @ source_from_reference[:3, 3]])
