"""What the stereo kernels take and give as one, with a name for each part."""

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


W_PER_PX, AMPLITUDE_PX, AMPLITUDE_TILT, LEAST_W, GREATEST_W, FOCAL_PX, EVERYWHERE = range(7)
"""Places in `search` (7,) float32, how far a sweep searches: the inverse depth that a pixel of disparity is
worth; the amplitude of random changes of depth, in pixels of disparity, and of tilt, as the tangent of the
angle to the image plane; the range of inverse depths; the mean focal length in pixels; 1 to search all views
and the whole range, 0 for the pixel's chosen views alone. An array: as a named tuple its numbers stayed in
registers, which slowed a sweep by a twentieth."""


class Plane(NamedTuple):
    """A hypothesis: inverse depth w, and its change per pixel along x and y."""

    w: np.float32
    wx: np.float32
    wy: np.float32
