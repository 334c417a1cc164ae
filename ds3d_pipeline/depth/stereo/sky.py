"""Areas without texture that hold no surface, sky above all.

Depth bleeds from outlines into what has no texture, over sky too, where nothing contradicts it. Of a plain
wall nearly everything gets depth that way; of a sky, which runs on, only a seam along the roofs does.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.depth.options import SkyOptions
from ds3d_pipeline.depth.stereo.matching_cost import RADIUS, STRIDE
from ds3d_pipeline.scene import Float32


def sky_areas(
    matched: NDArray[np.bool_],
    guessed: NDArray[np.bool_],
    textureless: NDArray[np.bool_],
    grey: Float32,
    options: SkyOptions,
) -> NDArray[np.bool_]:
    """(H, W) pixels of connected `textureless` areas with hardly any depth, and of their rims.

    The rim is as wide as a patch: its pixels seem textured because of the outline nearby.
    """
    count, found = cv2.connectedComponents(textureless.astype(np.uint8), connectivity=4)
    labels = np.asarray(found, np.int32)
    total = np.bincount(labels.ravel())
    unknown = np.bincount(labels[matched | guessed], minlength=count) < options.min_known * total
    unmatched = np.bincount(labels[matched], minlength=count) < options.min_matched * total
    sky = textureless & (unknown & unmatched)[labels]
    side = 2 * (RADIUS * STRIDE + 1) + 1
    window = np.ones((side, side), np.uint8)
    high = cv2.dilate(np.where(sky, grey, -1).astype(np.float32), window)
    low = cv2.erode(np.where(sky, grey, 2).astype(np.float32), window)
    return sky | ((grey >= low - options.same_grey) & (grey <= high + options.same_grey))
