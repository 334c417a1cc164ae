"""Where a viewer of a finished capture begins, and what a length in it means."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ds3d_pipeline.formats.colmap import model_folder, read_reconstruction
from ds3d_pipeline.geometry.conventions import gltf_from_world
from ds3d_pipeline.scene import Float64, Reconstruction, View

_WEDGE = 0.05
"""Length of a drawn camera, against the largest distance between two."""


@dataclass(frozen=True, kw_only=True)
class StartView:
    """A camera and what it looks at, (x, y, z) each, in scene units, y up, with the origin of the world."""

    position: tuple[float, ...]
    target: tuple[float, ...]
    fov_deg: float
    """Of the photo's height."""
    aspect: float
    """Width by height of the photo."""


@dataclass(frozen=True, kw_only=True)
class ViewScene:
    """What `web/page/view.js` needs beside the files."""

    start: StartView | None
    """None where no photo sees a point: in front of the object then."""
    unit: str | None
    """Of all lengths; None where the scale is arbitrary."""
    cameras: tuple[tuple[float, ...], ...] = ()
    """Of each its centre and the corners of its picture, 15 numbers, in the frame of `start`."""

    def to_json(self) -> dict[str, Any]:
        """As `view.js` reads it."""
        return asdict(self)


def describe_scene(model: Reconstruction | None, unit: str | None) -> ViewScene:
    """`unit` is that of the capture's scale, None where it is arbitrary."""
    return ViewScene(start=_start(model) if model else None, unit=unit)


def read_model(folder: Path) -> Reconstruction | None:
    """The cameras of a finished capture; None where there are none."""
    place = model_folder(folder)
    return read_reconstruction(place) if place else None


def centres_in_world(model: Reconstruction | None) -> Float64:
    """(C, 3) positions of the cameras."""
    return np.array([view.centre_in_world for view in model.views] if model else []).reshape(-1, 3)


def camera_wedges(model: Reconstruction) -> tuple[tuple[float, ...], ...]:
    """The cameras as they are drawn: small against the way that was walked."""
    depth = _WEDGE * max(float(np.ptp(centres_in_world(model), axis=0).max()), _WEDGE)
    return tuple(_wedge(view, depth) for view in model.views)


def _wedge(view: View, depth: float) -> tuple[float, ...]:
    width, height = view.image_size_wh
    corners_px = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)])
    in_camera = depth * corners_px @ np.linalg.inv(view.K).T
    corners = in_camera @ view.cam_from_world[:3, :3] + view.centre_in_world
    return tuple(gltf_from_world(np.vstack([view.centre_in_world, corners])).reshape(-1).tolist())


def _start(model: Reconstruction) -> StartView | None:
    """The photo that sees most points, looking at the middle of what it sees."""
    view = max(model.views, key=lambda view: len(view.point_ids))
    if not len(view.point_ids):
        return None
    centre = view.centre_in_world
    target = centre + _median_depth(view, model.points_in_world) * view.cam_from_world[2, :3]
    width, height = view.image_size_wh
    return StartView(
        position=tuple(gltf_from_world(centre).tolist()),
        target=tuple(gltf_from_world(target).tolist()),
        fov_deg=float(np.degrees(2 * np.arctan(height / 2 / view.K[1, 1]))),
        aspect=width / height,
    )


def _median_depth(view: View, points_in_world: Float64) -> float:
    """Along the view's axis, of the points that it observes."""
    seen = points_in_world[view.point_ids]
    return float(np.median(seen @ view.cam_from_world[2, :3] + view.cam_from_world[2, 3]))
