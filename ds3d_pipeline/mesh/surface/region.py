"""The region of interest: what the cameras show, and a limited amount of background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.scene import Float32, Float64

CORE_FRACTION = 0.8
RADIUS_FACTOR = 3.0


@dataclass(frozen=True, kw_only=True)
class Region:
    """A ball."""

    centre: Float64
    """(3,) world frame."""
    radius: float
    """Scene units."""

    def holds(self, points: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N,) which points (N, 3) are inside."""
        return np.linalg.norm(points - self.centre, axis=1) <= self.radius


def region_of_interest(points: Float32) -> Region:
    """A ball around the median of the points (N, 3), `RADIUS_FACTOR` times one that contains 80 % of them.

    Points are measured where two or more views see well, and the more, the nearer and the oftener they do.
    """
    centre = np.median(points, axis=0).astype(np.float64)
    distance = np.linalg.norm(points - centre, axis=1)
    return Region(centre=centre, radius=RADIUS_FACTOR * float(np.quantile(distance, CORE_FRACTION)))
