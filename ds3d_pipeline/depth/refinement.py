"""Relative disparity made clean: clipped, normalised, smoothed along the photo's edges, no flying pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.interpolation import normals_of_planes
from ds3d_pipeline.scene import Float32, Float64

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, kw_only=True)
class RefinementOptions:
    """How relative disparity is cleaned."""

    low_quantile: float = 0.02
    high_quantile: float = 0.98
    filter_radius: float = 0.008
    """Of the guided filter's window, as a fraction of the image diagonal."""
    filter_epsilon: float = 1e-3
    """Variance of the photo in [0, 1] from which on an edge is kept."""
    flying_step: float = 0.05
    """Relative change of depth over three pixels that no surface makes."""


def normalised_disparity(disparity: Float32, options: RefinementOptions) -> Float32 | None:
    """(H, W) in [0, 1] between two quantiles, clipped there; None where it is the same everywhere."""
    low, high = np.quantile(disparity, [options.low_quantile, options.high_quantile])
    if not high > low:
        return None
    return np.clip((disparity - low) / (high - low), 0, 1).astype(np.float32)


def guided_filter(values: Float32, guide: Float32, radius_px: int, epsilon: float) -> Float32:
    """(H, W) values smoothed where the guide (H, W) is flat, kept where it has an edge.

    The local linear model of He, Sun and Tang (2010), "Guided image filtering", with box windows.
    """
    side = 2 * radius_px + 1

    def mean(image: Float32) -> Float32:
        return cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT).astype(np.float32)

    mean_guide, mean_values = mean(guide), mean(values)
    variance = mean(guide * guide) - mean_guide * mean_guide
    covariance = mean(guide * values) - mean_guide * mean_values
    slope = (covariance / (variance + np.float32(epsilon))).astype(np.float32)
    offset = (mean_values - slope * mean_guide).astype(np.float32)
    return (mean(slope) * guide + mean(offset)).astype(np.float32)


def smoothed(disparity: Float32, rgb: NDArray[np.uint8], options: RefinementOptions) -> Float32:
    """Disparity (H, W) guided by the photo (H, W, 3) of the same size."""
    guide = ((rgb.astype(np.float32) @ LUMA) / 255).astype(np.float32)
    radius_px = max(1, round(options.filter_radius * float(np.hypot(*disparity.shape))))
    return guided_filter(disparity, guide, radius_px, options.filter_epsilon)


def flying_pixels(depth: Float32, step: float) -> NDArray[np.bool_]:
    """(H, W) pixels within whose 3 x 3 neighbours the known depth changes by more than `step`, relative.

    They hang between two surfaces: models draw depth edges as ramps.
    """
    known = depth > 0
    window = np.ones((3, 3), np.uint8)
    high = cv2.dilate(np.where(known, depth, 0).astype(np.float32), window)
    low = cv2.erode(np.where(known, depth, depth.max(initial=0)).astype(np.float32), window)
    return known & (high > (1 + step) * low)


def normals_from_depth(depth: Float32, K: Float64) -> Float32:
    """(H, W, 3) unit normals towards the camera by differences of inverse depth; 0 where it is unknown."""
    known = depth > 0
    inverse = np.divide(1.0, depth, out=np.zeros(depth.shape), where=known)
    planes = np.stack([_slope(inverse, known, 1), _slope(inverse, known, 0), inverse], axis=-1)
    return (normals_of_planes(planes, K) * known[..., None]).astype(np.float32)


def _slope(inverse: Float64, known: NDArray[np.bool_], axis: int) -> Float64:
    """Mean of the forward and backward difference, of those whose pixels are both known."""
    difference = np.diff(inverse, axis=axis)
    there = np.diff(known.astype(np.int8), axis=axis) == 0
    there &= np.take(known, range(1, known.shape[axis]), axis=axis)
    difference = np.where(there, difference, 0)
    before = [(1, 0) if a == axis else (0, 0) for a in (0, 1)]
    after = [(0, 1) if a == axis else (0, 0) for a in (0, 1)]
    total = np.pad(difference, before) + np.pad(difference, after)
    count = np.pad(there.astype(np.float64), before) + np.pad(there.astype(np.float64), after)
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)
