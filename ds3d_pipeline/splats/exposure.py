"""What a photo's exposure and white balance add to the scene's own colours."""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.losses import Loss
from ds3d_pipeline.splats.optimizer import BETA1, BETA2, EPSILON


class Exposure:
    """One gain per training photo and channel, learnt along with the splat.

    Phones change exposure and white balance while they film; without gains the splat explains that by
    colours that change with the viewing direction, or by floaters before the cameras. The logarithms of the
    gains have zero mean over the photos, so that the splat keeps the capture's own brightness. Held-out
    photos are scored without any gain.
    """

    def __init__(self, photos: int) -> None:
        self.log_gains = np.zeros((photos, 3), np.float32)
        self.moments = np.zeros((2, photos, 3), np.float32)
        self.updates = np.zeros(photos, np.float32)

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
        self.log_gains -= self.log_gains.mean(axis=0)
        return loss.grad * gains[:, None, None]
