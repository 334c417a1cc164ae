"""What lets a training that was broken off go on: one file, replaced as a whole."""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.options import Recipe, SplatOptions
from ds3d_pipeline.splats.training.photos import Photo
from ds3d_pipeline.splats.training.trainer import Trainer

_FORMAT = 2
"""Raised when `Trainer.state` changes, so that older checkpoints are not resumed."""


@dataclass(kw_only=True)
class Checkpoints:
    """A hook of `train` that saves its state to `path` every so many seconds of the wall clock."""

    path: Path
    mark: str
    """What the state belongs to; see `training_mark`."""
    every_s: float
    _last: float = field(default_factory=time.monotonic)

    def __call__(self, trainer: Trainer) -> bool:
        """Never asks to stop."""
        if time.monotonic() - self._last >= self.every_s:
            self.save(trainer.state())
        return False

    def save(self, state: Mapping[str, np.ndarray]) -> None:
        """Writes a state so that a kill at any moment leaves the one before or this one."""
        partial = self.path.with_name(self.path.name + ".part")
        with partial.open("wb") as file:
            arrays: dict[str, Any] = {"mark": np.array(self.mark), **state}
            np.savez(file, **arrays)
        os.replace(partial, self.path)
        self._last = time.monotonic()

    def load(self) -> dict[str, np.ndarray] | None:
        """The saved state; None where there is none, it is damaged or belongs to another training."""
        if not self.path.exists():
            return None
        try:
            # numpy leaves a damaged file open that it was given by name.
            with self.path.open("rb") as stored, np.load(stored, allow_pickle=False) as file:
                state = {name: file[name] for name in file.files}
        except (OSError, ValueError, zipfile.BadZipFile):
            return None
        return state if str(state.pop("mark", "")) == self.mark else None

    def remove(self) -> None:
        """To be called once the result is stored."""
        self.path.unlink(missing_ok=True)


def training_mark(start: Float32, photos: Sequence[Photo], options: SplatOptions, recipe: Recipe) -> str:
    """Hash of all that a training's course depends on."""
    digest = hashlib.sha256(repr((_FORMAT, asdict(options), asdict(recipe))).encode())
    digest.update(start.tobytes())
    for photo in photos:
        digest.update(photo.name.encode())
        for values in (photo.pixels, photo.K, photo.cam_from_world, photo.mask):
            digest.update(b"" if values is None else values.tobytes())
    return digest.hexdigest()
