"""Relative disparity made clean: clipped, normalised, smoothed within surfaces, no flying pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.interpolation import normals_of_planes
from ds3d_pipeline.depth.options import RefinementOptions
from ds3d_pipeline.scene import Float32, Float64, UInt8


def normalised_disparity(disparity: Float32, options: RefinementOptions) -> Float32 | None:
    """(H, W) in [0, 1] between two quantiles, clipped there; None where it is the same everywhere."""
    low, high = np.quantile(disparity, [options.low_quantile, options.high_quantile])
    if not high > low:
        return None
    return np.clip((disparity - low) / (high - low), 0, 1).astype(np.float32)


def smoothed(disparity: Float32, photo: UInt8, options: RefinementOptions) -> Float32:
    """(H, W) disparity in [0, 1] smoothed within surfaces: bilateral filter (Tomasi, Manduchi 1998).

    Guided by the (H, W, 3) photo too (Petschnigg et al. 2004): pixels weigh by how near they are in disparity
    and in brightness. OpenCV weighs by the sum of absolute differences over three channels, of which two
    carry these in units of their deviations.
    """
    radius_px = options.filter_radius * float(np.hypot(*disparity.shape))
    side = 2 * max(1, round(radius_px)) + 1
    brightness = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) / np.float32(255 * options.photo_step)
    stacked = np.dstack([disparity / options.filter_step, brightness, np.zeros_like(disparity)])
    filtered = cv2.bilateralFilter(stacked.astype(np.float32), side, 1.0, max(radius_px / 2, 0.5))
    return np.asarray(filtered[..., 0] * options.filter_step, np.float32)


def flying_pixels(depth: Float32, step: float) -> NDArray[np.bool_]:
    """(H, W) pixels within whose 3 x 3 neighbours the known depth changes by more than `step`, relative.

    They hang between two surfaces: models draw depth edges as ramps.
    """
    known = depth > 0
    window = np.ones((3, 3), np.uint8)
    high = cv2.dilate(np.where(known, depth, 0).astype(np.float32), window)
    low = cv2.erode(np.where(known, depth, depth.max(initial=0)).astype(np.float32), window)
    return known & (high > (1 + step) * low)


def without_ramps(depth: Float32, options: RefinementOptions) -> Float32:
    """(H, W) depth whose flying pixels, and those beside them, take the depth of the nearest that is none.

    So the ramp of a depth edge becomes a step in its middle. What is further than half of the widest ramp
    from any surface becomes unknown (0).
    """
    flying = cv2.dilate(flying_pixels(depth, options.flying_step).astype(np.uint8), np.ones((3, 3), np.uint8))
    unsure = (flying > 0) | (depth <= 0)
    if unsure.all():
        return np.zeros_like(depth)
    distance, found = cv2.distanceTransformWithLabels(
        unsure.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = np.asarray(found, np.int32)
    by_label = np.zeros(labels.max() + 1, np.float32)
    by_label[labels[~unsure]] = depth[~unsure]
    reach_px = options.half_ramp * float(np.hypot(*depth.shape))
    return np.where((depth > 0) & (distance <= reach_px), by_label[labels], 0).astype(np.float32)


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
