"""What the stereo kernels take and give as one: named tuples, which numba passes without any cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ds3d_pipeline.scene import Float32


class Images(NamedTuple):
    """What every cost needs of the reference (H, W) and of its V source views; all arrays are float32."""

    weights: Float32
    """(H, W, 25) of the samples of every patch of the reference, sum 1."""
    centred: Float32
    """(H, W, 25) weight times grey value above the patch's mean."""
    variance: Float32
    """(H, W) of the patch, weighted."""
    strides: Float32
    """(H, W) pixels between the samples of the patch."""
    sources: Float32
    """(V, H_s + 24, W_s + 24) grey values in [0, 1], padded by `PAD_PX`, at the greatest size of all."""
    sizes_wh: Float32
    """(V, 2) width and height in pixels without the padding."""
    warps: Float32
    """(V, 12) from the reference into each source: A row by row, then b, as `levels.warp` makes them."""
    back_warps: Float32
    """(V, 12) from each source into the reference."""
    weight: np.float32
    """Cost of a pixel of disagreement with the sources' planes; 0 where those are not known."""
    planes: Float32
    """(V, H_s, W_s, 3) the sources' planes (w, wx, wy); empty where they are not known."""


class Search(NamedTuple):
    """How far a sweep looks; all numbers are float32."""

    w_per_px: np.float32
    """The inverse depth that a pixel of disparity is worth, 1 / scene units."""
    amplitude_px: np.float32
    """Of the random changes of depth, in pixels of disparity."""
    amplitude_tilt: np.float32
    """Of the random changes of tilt: tangent of the angle to the image plane."""
    least_w: np.float32
    greatest_w: np.float32
    """The range of inverse depths, 1 / scene units."""
    focal_px: np.float32
    """Mean of both axes."""
    everywhere: np.float32
    """1 to search all views and the whole range of depths, 0 for the pixel's chosen views alone."""


class Plane(NamedTuple):
    """A hypothesis: inverse depth w, and its change per pixel along x and y."""

    w: np.float32
    wx: np.float32
    wy: np.float32
