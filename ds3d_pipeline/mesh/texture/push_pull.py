"""Texels that no chart covers, filled smoothly."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.scene import Float32, UInt8


def push_pull(colors: UInt8, covered: NDArray[np.bool_]) -> UInt8:
    """Fills what is not covered smoothly from what is (Gortler et al. 1996), so mip levels mix in no black.

    `colors` (S, S, 3), `covered` (S, S); S is even at every level that still has something to fill.
    """
    pyramid = [_halved(colors, covered)]
    while len(pyramid[-1][1]) > 1 and not pyramid[-1][1].all():
        pyramid.append(_halved(*pyramid[-1]))
    filled = pyramid[-1][0]
    for level, mask in reversed(pyramid[:-1]):
        filled = _over(level, mask, filled)
    return _over(colors, covered, np.clip(np.round(filled), 0, 255).astype(np.uint8))


def _halved(colors: NDArray[Any], covered: NDArray[np.bool_]) -> tuple[Float32, NDArray[np.bool_]]:
    """Half the size: the mean of what is covered of each four, and where there is any."""
    weight = np.zeros((len(covered) // 2, covered.shape[1] // 2), np.float32)
    total = np.zeros((*weight.shape, 3), np.float32)
    for down in range(2):
        for right in range(2):
            part = covered[down::2, right::2]
            weight += part
            total += colors[down::2, right::2] * part[..., None]
    total /= np.maximum(weight, 1)[..., None]
    return total, weight > 0


def _over(colors: NDArray[Any], covered: NDArray[np.bool_], coarse: NDArray[Any]) -> NDArray[Any]:
    """The covered colours over the coarser level, enlarged."""
    filled = cv2.resize(coarse, covered.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(colors.dtype)
    np.copyto(filled, colors, where=covered[..., None])
    return filled
