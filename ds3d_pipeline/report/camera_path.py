"""The cameras and sparse points from above, as the numbers of a drawing and as facts for advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ds3d_pipeline.geometry.conventions import DOWN_IN_WORLD
from ds3d_pipeline.scene import Float64, Reconstruction

_WIDTH, _MAX_HEIGHT, _MARGIN = 960.0, 640.0, 36.0
_MAX_POINTS = 2500
_MIN_ALIGNED = 0.8


@dataclass(frozen=True, kw_only=True)
class Camera:
    """One camera of the drawing: its name for the user, its wedge as an SVG path, its colour."""

    name: str
    wedge: str
    hue: int


@dataclass(frozen=True, kw_only=True)
class CameraPath:
    """A drawing from above: world +x to the right, +z upwards, as on a map."""

    size_wh: tuple[int, int]
    points: str
    """One SVG path of dots."""
    track: str
    """One SVG path through the cameras in the order of the capture, broken at unregistered frames."""
    cameras: tuple[Camera, ...]
    start_xy: tuple[float, float]
    end_xy: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class PathFacts:
    """How the cameras went about the scene."""

    looks_inwards: bool
    """The cameras look at one common middle, as around an object."""
    arc_deg: float
    """Horizontal angle that the cameras span, seen from the middle of the points."""
    heights_deg: float
    """Spread (10th to 90th percentile) of the angle at which cameras look down or up at that middle."""
    sideways: float
    """Extent of the camera centres over their median distance to the middle."""


def measure_path(reconstruction: Reconstruction) -> PathFacts | None:
    """The facts, or None where the model has fewer than two cameras or no points."""
    if len(reconstruction.views) < 2 or not len(reconstruction.points_in_world):
        return None
    centres, forward = _centres(reconstruction), _forward(reconstruction)
    towards = np.median(reconstruction.points_in_world, axis=0) - centres
    distance = np.maximum(np.linalg.norm(towards, axis=1), 1e-9)
    aligned = np.einsum("ij,ij->i", towards, forward) / distance
    azimuths = np.sort(np.degrees(np.arctan2(-towards[:, 0], -towards[:, 2])))
    gaps = np.diff(np.append(azimuths, azimuths[0] + 360))
    elevations = np.degrees(np.arcsin(np.clip(towards @ DOWN_IN_WORLD / distance, -1, 1)))
    extent = np.linalg.norm(np.ptp(centres, axis=0))
    low, high = np.percentile(elevations, [10, 90])
    return PathFacts(
        looks_inwards=bool(np.median(aligned) > _MIN_ALIGNED),
        arc_deg=float(360 - gaps.max()),
        heights_deg=float(high - low),
        sideways=float(extent / np.median(distance)),
    )


def draw_path(
    reconstruction: Reconstruction, names: dict[str, str], *, most_points: int = _MAX_POINTS
) -> CameraPath | None:
    """The drawing; `names` maps every keyframe's image, in order, to the user's own name of it.

    None where no camera was registered.
    """
    views = {view.image: view for view in reconstruction.views if view.image in names}
    registered = [image for image in names if image in views]
    if not registered:
        return None
    centres = np.array([views[image].centre_in_world for image in registered])
    forward = np.array([views[image].cam_from_world[2, :3] for image in registered])
    frame = _Frame(centres, reconstruction.points_in_world)
    xy = frame.at(centres)
    hues = np.linspace(210, 350, len(registered)).round().astype(int)
    return CameraPath(
        size_wh=frame.size_wh,
        points=_dots(frame.inside(_thinned(reconstruction.points_in_world, most_points))),
        track=_track(xy, registered, list(names)),
        cameras=tuple(
            Camera(name=names[image], wedge=_wedge(xy[i], forward[i]), hue=int(hues[i]))
            for i, image in enumerate(registered)
        ),
        start_xy=_place(xy[0]),
        end_xy=_place(xy[-1]),
    )


class _Frame:
    """World to drawing: every camera fits, and the bulk of the points."""

    def __init__(self, centres: Float64, points: Float64) -> None:
        shown = centres[:, [0, 2]]
        if len(points):
            shown = np.vstack([shown, np.percentile(points[:, [0, 2]], [5, 95], axis=0)])
        self._low, high = shown.min(axis=0), shown.max(axis=0)
        span = np.maximum(high - self._low, 1e-6 + 0.2 * (high - self._low).max())
        self._low = (self._low + high - span) / 2
        inner = np.array([_WIDTH, _MAX_HEIGHT]) - 2 * _MARGIN
        self._scale = float((inner / span).min())
        drawn = span * self._scale
        self._left = (_WIDTH - drawn[0]) / 2
        self._height = drawn[1] + 2 * _MARGIN
        self.size_wh = int(_WIDTH), round(self._height)

    def at(self, points: Float64) -> Float64:
        """(N, 2) pixels of (N, 3) world points."""
        flat = (points[:, [0, 2]] - self._low) * self._scale
        return np.stack([self._left + flat[:, 0], self._height - _MARGIN - flat[:, 1]], axis=1)

    def inside(self, points: Float64) -> Float64:
        """The pixels that are in the drawing."""
        xy = self.at(points)
        return xy[((xy > 0) & (xy < np.array(self.size_wh))).all(axis=1)]


def _centres(reconstruction: Reconstruction) -> Float64:
    return np.array([view.centre_in_world for view in reconstruction.views])


def _forward(reconstruction: Reconstruction) -> Float64:
    return np.array([view.cam_from_world[2, :3] for view in reconstruction.views])


def _thinned(points: Float64, most: int) -> Float64:
    return points[:: max(1, -(-len(points) // most))]


def _dots(xy: Float64) -> str:
    return "".join(f"M{x:.0f} {y:.0f}h0" for x, y in xy)


def _track(xy: Float64, registered: Sequence[str], order: Sequence[str]) -> str:
    numbers = [order.index(image) for image in registered]
    steps = []
    for i, (x, y) in enumerate(xy):
        joined = i > 0 and numbers[i] == numbers[i - 1] + 1
        steps.append(f"{'L' if joined else 'M'}{x:.1f} {y:.1f}")
    return "".join(steps)


def _wedge(xy: Float64, forward_in_world: Float64, length: float = 17.0, half_width: float = 7.0) -> str:
    """A triangle with its tip at the camera, open to where it looks; shorter where it looks up or down."""
    ahead = np.array([forward_in_world[0], -forward_in_world[2]]) * length
    flat = np.linalg.norm(ahead)
    across = (
        np.array([-ahead[1], ahead[0]]) / flat * half_width if flat > 1e-6 else np.array([half_width, 0.0])
    )
    (ax, ay), (bx, by) = xy + ahead + across, xy + ahead - across
    return f"M{xy[0]:.1f} {xy[1]:.1f}L{ax:.1f} {ay:.1f}L{bx:.1f} {by:.1f}Z"


def _place(xy: Float64) -> tuple[float, float]:
    return round(float(xy[0]), 1), round(float(xy[1]), 1)
