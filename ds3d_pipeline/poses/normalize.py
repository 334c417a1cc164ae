"""The world frame: +y down, the first image looks along +z, centred.

Its unit is the metre if GPS gives it, else the spread of the cameras.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from ds3d_pipeline.poses.gps import fit_gps
from ds3d_pipeline.poses.report import MetricScale, SceneScale
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.scene import Float64, Keyframe

DOWN = np.array([0.0, 1.0, 0.0])
MIN_MEAN_DOWN = 0.1
"""Length of the mean of the down axes below which they cancel."""
MEAN_DOWN_WEIGHT = 0.02
LEVEL = 0.1
"""Sine of the roll up to which a camera counts as held level."""
ROUNDS = 5
MIN_AHEAD = 0.1
"""Horizontal part of a viewing direction below which it gives no forward direction."""


def normalize(model: pycolmap.Reconstruction, frames: Sequence[Keyframe] = ()) -> SceneScale:
    """Moves a model into our world frame, in place; `frames` are the keyframes with their EXIF."""
    posed = (image for image in model.images.values() if image.has_pose)
    registered = sorted(posed, key=lambda image: image.name)
    rotations = np.stack([image.cam_from_world().matrix()[:, :3] for image in registered])
    centres = np.stack([image.projection_center() for image in registered])
    spread = float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean())
    gps = fit_gps({image.name: centre for image, centre in zip(registered, centres, strict=True)}, frames)
    scale = gps.metres_per_unit if gps else 1 / spread if spread > 0 else 1.0
    down = gps.down if gps else None
    rotation = world_rotation(rotations, find_down(rotations) if down is None else down)
    points = np.stack([point.xyz for point in model.points3D.values()])
    shift = -scale * np.median(points @ rotation.T, axis=0)
    model.transform(pycolmap.Sim3d(scale, pycolmap.Rotation3d(rotation), shift))
    if gps is None:
        return "arbitrary"
    return MetricScale(unit="m", origin="gps", photos=gps.photos, error_m=round(gps.error_m, 2))


def find_down(rotations: Float64) -> Float64 | None:
    """(3,) unit down in the world of (N, 3, 3) cam_from_world rotations; None if none is distinct.

    People hold a camera level: its right axis is horizontal wherever it looks, so down is the direction that
    all right axes are perpendicular to (Szeliski 2006, "Image alignment and stitching", up-vector). The mean
    of the cameras' own down axes gives the sign, and holds the answer where all right axes are parallel.
    """
    rights, mean = rotations[:, 0], rotations[:, 1].mean(axis=0)
    if np.linalg.norm(mean) < MIN_MEAN_DOWN:
        return None
    mean = mean / np.linalg.norm(mean)
    weights, down = np.ones(len(rights)), mean
    for _ in range(ROUNDS):
        spread = (rights * weights[:, None]).T @ rights / weights.sum()
        moments = spread + MEAN_DOWN_WEIGHT * (np.eye(3) - np.outer(mean, mean))
        down = np.linalg.eigh(moments)[1][:, 0]
        down = down * np.sign(down @ mean)
        # Cameras held askew count less.
        weights = 1 / np.maximum(np.abs(rights @ down), LEVEL)
    return down


def world_rotation(rotations: Float64, down: Float64 | None) -> Float64:
    """(3, 3) rotation of the world of (N, 3, 3) cam_from_world rotations into ours.

    +z is where the first camera looks, or its upper edge where it looks up or down; so the frame depends on
    what was mapped and not on the order of mapping. Without a unit direction down it is the first camera's.
    """
    if down is None:
        return rotations[0]
    upright = rotation_to_down(down)
    upper, ahead = upright @ -rotations[0, 1], upright @ rotations[0, 2]
    x, _, z = ahead if np.hypot(ahead[0], ahead[2]) > MIN_AHEAD else upper
    return Rotation.from_rotvec(-np.arctan2(x, z) * DOWN).as_matrix() @ upright


def rotation_to_down(down: Float64) -> Float64:
    """(3, 3) smallest rotation of a unit direction to +y."""
    axis = np.cross(down, DOWN)
    angle = np.arctan2(np.linalg.norm(axis), down @ DOWN)
    if np.linalg.norm(axis) < 1e-9:
        axis = np.array([1.0, 0.0, 0.0])
    return Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
