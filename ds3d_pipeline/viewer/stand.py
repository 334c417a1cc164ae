"""From where an exhibit is looked at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ds3d_pipeline.scene import Float64
from ds3d_pipeline.viewer.finished import Exhibit

if TYPE_CHECKING:
    import viser

_OVERVIEW = 1.6
"""Distance of the first view, as a multiple of the typical one between cameras and scene."""


@dataclass(frozen=True, kw_only=True)
class Stand:
    """Where a first look at the scene is taken from, in the world."""

    position: Float64
    look_at: Float64
    distance: float
    """Typical distance between cameras and the middle of the scene."""


def find_stand(exhibit: Exhibit) -> Stand:
    """Behind the middle camera, looking at the middle of the scene."""
    middle = _middle(exhibit)
    model = exhibit.reconstruction
    if model is None or not model.views:
        return Stand(position=middle - (0, 0, 2.0), look_at=middle, distance=2.0)
    centres = np.array([view.centre_in_world for view in model.views])
    distance = float(np.median(np.linalg.norm(centres - middle, axis=1)))
    typical = centres[np.argmin(np.linalg.norm(centres - np.median(centres, axis=0), axis=1))]
    position = middle + _OVERVIEW * (typical - middle)
    return Stand(position=position, look_at=middle, distance=max(distance, 1e-3))


def _middle(exhibit: Exhibit) -> Float64:
    if exhibit.reconstruction is not None and len(exhibit.reconstruction.points_in_world):
        return np.median(exhibit.reconstruction.points_in_world, axis=0)
    if exhibit.points is not None:
        return np.median(exhibit.points.points_in_world, axis=0).astype(np.float64)
    if exhibit.splat is not None:
        return np.median(exhibit.splat.means, axis=0).astype(np.float64)
    return exhibit.mesh.middle_in_world if exhibit.mesh else np.zeros(3)


def go_to_stand(server: viser.ViserServer, exhibit: Exhibit) -> None:
    """Takes everybody who looks on to where a first look is taken from."""
    stand = find_stand(exhibit)
    for client in server.get_clients().values():
        with client.atomic():
            client.camera.position = tuple(stand.position)
            client.camera.look_at = tuple(stand.look_at)
