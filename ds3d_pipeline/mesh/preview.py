"""A turntable: the mesh from eight places on the cameras' own orbit, as one small picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.geometry.cameras import intrinsics
from ds3d_pipeline.geometry.conventions import DOWN_IN_WORLD
from ds3d_pipeline.mesh.render import render
from ds3d_pipeline.scene import Float64, Mesh, UInt8, View

MAX_BYTES = 50_000
QUALITIES = (88, 80, 70, 60, 50, 40, 30, 20, 10)
STOPS, COLUMNS = 8, 4
TILE_WH = (240, 180)
MARGIN_DEG = 15.0
"""How far beyond the outermost cameras the turntable goes where they do not surround the scene."""
OPEN_DEG = 90.0
"""A gap between neighbouring cameras wider than this is a side without cameras."""
MAX_ELEVATION_DEG = 75.0


def write_preview(path: Path, mesh: Mesh, views: Sequence[View]) -> None:
    """Writes the mesh from eight places around it, in two rows, as a JPEG under 50 kB."""
    path.write_bytes(_small_jpeg(turntable(mesh, views)))


def turntable(mesh: Mesh, views: Sequence[View], tile_wh: tuple[int, int] = TILE_WH) -> UInt8:
    """(2 H, 4 W, 3) RGB: the mesh from eight places at the height and distance of its cameras.

    The places go all around where the cameras do, and else along the arc of the cameras.
    """
    middle = np.median(mesh.vertices_in_world, axis=0).astype(np.float64)
    from_middle = np.array([view.centre_in_world for view in views]) - middle
    radius = float(np.median(np.linalg.norm(from_middle, axis=1)))
    horizontal = np.linalg.norm(from_middle[:, [0, 2]], axis=1)
    elevation = float(np.median(np.degrees(np.arctan2(-from_middle[:, 1], horizontal))))
    elevation = float(np.clip(elevation, -MAX_ELEVATION_DEG, MAX_ELEVATION_DEG))
    azimuths = stops(np.degrees(np.arctan2(from_middle[:, 0], from_middle[:, 2])))
    K = intrinsics(_focal_px(mesh, middle, radius, tile_wh), tile_wh)
    tiles = [render(mesh, K, _looking_at(middle, radius, a, elevation), tile_wh) for a in azimuths]
    rows = [np.concatenate(tiles[i : i + COLUMNS], axis=1) for i in range(0, STOPS, COLUMNS)]
    return np.concatenate(rows, axis=0)


def stops(azimuths_deg: Float64) -> Float64:
    """(8,) azimuths for cameras at azimuths (V,): all around, or the arc without its widest gap."""
    found = np.sort(np.mod(azimuths_deg, 360))
    gaps = np.diff(found, append=found[0] + 360)
    widest = int(gaps.argmax())
    if gaps[widest] <= OPEN_DEG:
        return found[0] + np.arange(STOPS) * 360 / STOPS
    start = found[(widest + 1) % len(found)]
    return start + np.linspace(-MARGIN_DEG, 360 - gaps[widest] + MARGIN_DEG, STOPS)


def _focal_px(mesh: Mesh, middle: Float64, radius: float, tile_wh: tuple[int, int]) -> float:
    """A focal length at which nine tenths of the mesh fit into a tile, but no wider than 90 degrees."""
    extent = float(np.quantile(np.linalg.norm(mesh.vertices_in_world - middle, axis=1), 0.9))
    return 0.5 * min(tile_wh) * max(1.0, radius / max(extent, 1e-9))


def _looking_at(middle: Float64, radius: float, azimuth_deg: float, elevation_deg: float) -> Float64:
    """cam_from_world (4, 4) of a level camera that looks at `middle`."""
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    towards = np.array(
        [np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    )
    forward = -towards
    right = np.cross(DOWN_IN_WORLD, forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3], cam_from_world[:3, 3] = rotation, -rotation @ (middle + radius * towards)
    return cam_from_world


def _small_jpeg(rgb: UInt8) -> bytes:
    for quality in QUALITIES:
        _, data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) < MAX_BYTES:
            break
    return data.tobytes()
