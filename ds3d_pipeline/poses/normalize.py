"""The world frame: +y down by the cameras' mean down direction, centred, of unit size by camera spread."""

from __future__ import annotations

import numpy as np
import pycolmap
from scipy.spatial.transform import Rotation

from ds3d_pipeline.scene import Float64

DOWN = np.array([0.0, 1.0, 0.0])


def normalize(model: pycolmap.Reconstruction) -> None:
    """Moves a model into our world frame, in place."""
    poses = [image.cam_from_world().matrix() for image in model.images.values() if image.has_pose]
    rotations = np.stack([pose[:, :3] for pose in poses])
    centres = np.stack([-pose[:, :3].T @ pose[:, 3] for pose in poses])
    spread = float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean())
    scale = 1 / spread if spread > 0 else 1.0
    rotation = rotation_to_down(rotations[:, 1])
    points = np.stack([point.xyz for point in model.points3D.values()])
    shift = -scale * rotation @ np.median(points, axis=0)
    model.transform(pycolmap.Sim3d(scale, pycolmap.Rotation3d(rotation), shift))


def rotation_to_down(downs_in_world: Float64) -> Float64:
    """(3, 3) smallest rotation of the mean of (N, 3) down directions to +y; none where they cancel."""
    mean = downs_in_world.mean(axis=0)
    if np.linalg.norm(mean) < 0.1:
        return np.eye(3)
    mean = mean / np.linalg.norm(mean)
    axis = np.cross(mean, DOWN)
    angle = np.arctan2(np.linalg.norm(axis), mean @ DOWN)
    if np.linalg.norm(axis) < 1e-9:
        axis = np.array([1.0, 0.0, 0.0])
    return Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
