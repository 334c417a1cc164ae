"""Camera paths as a hand makes them: an arc around the target with a smooth wobble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ds3d_pipeline.geometry.conventions import DOWN_IN_WORLD
from ds3d_pipeline.geometry.transforms import rigid, rotation_from_axis_angle_deg
from ds3d_pipeline.scene import Float64
from ds3d_pipeline.synthetic.options import PathOptions

WOBBLE_WAVES = 4


@dataclass(frozen=True, kw_only=True)
class HandheldPath:
    """A smooth camera path over the time 0 to 1."""

    options: PathOptions
    target: Float64
    """(3,) world point the camera looks at."""
    waves: Float64
    """(6, W, 3) amplitude, cycles and phase of the waves of 3 shifts and 3 turns; amplitudes add up to 1."""

    def cam_from_world(self, time: float) -> Float64:
        """(4, 4) pose at `time`; it may run a little out of 0 to 1."""
        if self.options.name == "rotation":
            return self._turned_on_the_spot(time)
        options, wobble = self.options, self._wobble(time)
        azimuth = np.radians(options.arc_deg) * (time - 0.5)
        sway = 1 + 0.25 * np.sin(2 * np.pi * time)
        around = options.radius_m * np.array([np.sin(azimuth), 0, -np.cos(azimuth)])
        height = -options.height_m * sway * DOWN_IN_WORLD
        centre = self.target * [1, 0, 1] + around + height + options.jitter_m * wobble[:3]
        turn = np.linalg.norm(wobble[3:])
        rotation = look_at_rotation(centre, self.target)
        if turn > 0:
            rotation = rotation_from_axis_angle_deg(wobble[3:], options.jitter_deg * turn) @ rotation
        return rigid(rotation, -rotation @ centre)

    def _turned_on_the_spot(self, time: float) -> Float64:
        options = self.options
        centre = self.target * [1, 0, 1] + [0, 0, -options.radius_m] - options.height_m * DOWN_IN_WORLD
        pan = rotation_from_axis_angle_deg(DOWN_IN_WORLD, options.arc_deg * (0.5 - time))
        rotation = look_at_rotation(centre, self.target) @ pan
        return rigid(rotation, -rotation @ centre)

    def _wobble(self, time: float) -> Float64:
        """(6,) numbers in [-1, 1]."""
        amplitude, cycles, phase = np.moveaxis(self.waves, -1, 0)
        return (amplitude * np.sin(2 * np.pi * cycles * time + phase)).sum(axis=1)


def make_path(options: PathOptions, target: ArrayLike) -> HandheldPath:
    """The path that the options' seed decides."""
    random = np.random.default_rng(options.seed)
    amplitude = random.uniform(0.3, 1, size=(6, WOBBLE_WAVES))
    amplitude /= amplitude.sum(axis=1, keepdims=True)
    cycles = random.uniform(1, 6, size=amplitude.shape)
    phase = random.uniform(0, 2 * np.pi, size=amplitude.shape)
    waves = np.stack([amplitude, cycles, phase], axis=-1)
    return HandheldPath(options=options, target=np.asarray(target, dtype=np.float64), waves=waves)


def look_at_rotation(centre: ArrayLike, target: ArrayLike) -> Float64:
    """(3, 3) cam_from_world rotation of an upright camera (no roll) at `centre` that faces `target`.

    Raises ValueError if the two are above each other, which leaves the roll free.
    """
    forward = np.asarray(target, dtype=np.float64) - np.asarray(centre, dtype=np.float64)
    right = np.cross(DOWN_IN_WORLD, forward)
    if np.linalg.norm(right) <= 1e-9 * np.linalg.norm(forward):
        raise ValueError(f"the target {target} must not be straight above or below the centre {centre}")
    right, forward = right / np.linalg.norm(right), forward / np.linalg.norm(forward)
    return np.stack([right, np.cross(forward, right), forward])
