"""Grey photos at the sizes of the pyramid."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.formats.images import read_gray
from ds3d_pipeline.geometry.cameras import K_scaled
from ds3d_pipeline.scene import Float32, Float64, View

MIN_SIDE_PX = 24


@dataclass(frozen=True, kw_only=True)
class GreyLevel:
    """One level of a photo's pyramid."""

    pixels: Float32
    """(H, W) in [0, 1]."""
    K: Float64
    """(3, 3), pixels of this level."""


class GreyPhotos:
    """Pyramids of the photos in one folder, finest level first; keeps the last `keep` in memory."""

    def __init__(self, folder: Path, max_side_px: int, levels: int, keep: int = 24) -> None:
        self._folder, self._max_side_px, self._levels, self._keep = folder, max_side_px, levels, keep
        self._pyramids: OrderedDict[str, tuple[GreyLevel, ...]] = OrderedDict()

    def pyramid(self, view: View) -> tuple[GreyLevel, ...]:
        """The levels of a view's photo. Raises StageError where the file is missing or no image."""
        if view.image not in self._pyramids:
            self._pyramids[view.image] = self._load(view)
            while len(self._pyramids) > self._keep:
                self._pyramids.popitem(last=False)
        self._pyramids.move_to_end(view.image)
        return self._pyramids[view.image]

    def _load(self, view: View) -> tuple[GreyLevel, ...]:
        pixels = np.multiply(read_gray(self._folder / view.image), 1 / 255, dtype=np.float32)
        levels = []
        for level in range(self._levels):
            width, height = map_size(view, self._max_side_px, level)
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
            scale = (width / view.image_size_wh[0], height / view.image_size_wh[1])
            levels.append(GreyLevel(pixels=pixels.astype(np.float32), K=K_scaled(view.K, scale)))
        return tuple(levels)


def map_size(view: View, max_side_px: int, level: int = 0) -> tuple[int, int]:
    """Width and height of a view's map: the longer side at most `max_side_px`, halved at every level."""
    width, height = view.image_size_wh
    scale = min(1.0, max_side_px / max(width, height)) / 2**level
    return max(1, round(width * scale)), max(1, round(height * scale))
