"""What a photo's exposure and white balance add to the scene's own colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

from ds3d_pipeline.scene import Float32, Float64
from ds3d_pipeline.splats.kernels.adam import BETA1, BETA2, EPSILON
from ds3d_pipeline.splats.kernels.losses import Loss
from ds3d_pipeline.splats.training.photos import Photo

_SLOW = 0.5
"""Patterns over the photos of which averaging among neighbours leaves more than this vary slowly."""
_BALANCING_ROUNDS = 50


class Exposure:
    """One gain per training photo and channel, learnt along with the splat.

    Phones change exposure and white balance while they film; without gains the splat explains that by
    floaters before the cameras. What varies slowly with the camera, though, the splat itself can show as
    colours that depend on the viewing direction, and so hold for a photo in between. The logarithms of
    the gains are therefore kept orthogonal to the columns of `slow` (photos, r), see `slow_patterns`; their
    mean is one of them. Held-out photos are scored without any gain.
    """

    def __init__(self, slow: Float32) -> None:
        self._slow, photos = slow, len(slow)
        self.log_gains = np.zeros((photos, 3), np.float32)
        self.moments = np.zeros((2, photos, 3), np.float32)
        self.updates = np.zeros(photos, np.float32)

    def state(self) -> dict[str, Float32]:
        """What training changes, by the attribute's name."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def applied(self, photo: int, image: Float32) -> Float32:
        """The drawn image (3, H, W) as that photo's exposure shows it."""
        return image * np.exp(self.log_gains[photo])[:, None, None]

    def learn(self, photo: int, loss: Loss, rate: float) -> Float32:
        """One step of Adam on the photo's gains; returns the loss' gradient by the drawn image.

        `loss` is that of what `applied` returned.
        """
        gains = np.exp(self.log_gains[photo])
        slope = loss.by_log_gain.astype(np.float32)
        first, second = self.moments[0, photo], self.moments[1, photo]
        first += (1 - BETA1) * (slope - first)
        second += (1 - BETA2) * (slope**2 - second)
        self.updates[photo] += 1
        count = self.updates[photo]
        step = (first / (1 - BETA1**count)) / (np.sqrt(second / (1 - BETA2**count)) + EPSILON)
        self.log_gains[photo] -= rate * step
        self.log_gains -= self._slow @ (self._slow.T @ self.log_gains)
        return loss.grad * gains[:, None, None]


def slow_patterns(photos: Sequence[Photo]) -> Float32:
    """(photos, r) orthonormal: the patterns over the photos that vary slowly with place and direction.

    They are the eigenvectors of averaging each photo with its neighbours (a Gaussian kernel of the mean
    distance to the two nearest, balanced so that a constant stays one) that it leaves over half of.
    """
    apart = _camera_distances(photos)
    spacing = float(np.sort(apart, axis=1)[:, 1:3].mean()) if len(photos) > 1 else 0.0
    averaging = np.exp(-0.5 * (apart / max(spacing, 1e-9)) ** 2)
    for _ in range(_BALANCING_ROUNDS):
        scale = np.sqrt(averaging.sum(axis=1))
        averaging /= scale[:, None] * scale
    kept, patterns = np.linalg.eigh(averaging)
    return patterns[:, kept > _SLOW].astype(np.float32)


def _camera_distances(photos: Sequence[Photo]) -> Float64:
    """(photos, photos) between places and viewing directions together, each by its spread over the photos."""
    centres = np.array([photo.centre_in_world for photo in photos])
    directions = np.array([photo.cam_from_world[2, :3] for photo in photos])
    squared = np.zeros((len(photos), len(photos)))
    for values in (centres, directions):
        spread = float(values.var(axis=0).sum())
        squared += cdist(values, values, "sqeuclidean") / max(spread, 1e-12)
    return np.sqrt(squared)
