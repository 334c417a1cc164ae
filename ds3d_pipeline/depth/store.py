"""Planes of many views on disk, so that a capture of any length needs the memory of a few views."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ds3d_pipeline.depth.patchmatch import Planes
from ds3d_pipeline.scene import Float64


class PlaneStore:
    """One file per view in a folder that the caller owns; arrays are mapped, not read, until used."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._K: dict[int, Float64] = {}

    def put(self, index: int, found: Planes) -> None:
        """Keeps the planes of view `index`."""
        packed = np.concatenate([found.planes, found.cost[..., None]], axis=2)
        np.save(self._folder / f"{index}.npy", packed)
        self._K[index] = found.K

    def get(self, index: int) -> Planes:
        """What `put` kept. Raises KeyError for a view that was not put."""
        K = self._K[index]
        packed = np.load(self._folder / f"{index}.npy", mmap_mode="r")
        return Planes(planes=np.array(packed[..., :3]), cost=np.array(packed[..., 3]), K=K)

    def __contains__(self, index: int) -> bool:
        return index in self._K
