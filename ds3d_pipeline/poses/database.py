"""COLMAP's database, filled with our cameras, images and features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pycolmap

from ds3d_pipeline.options import PosesOptions
from ds3d_pipeline.poses.features import Features
from ds3d_pipeline.scene import Keyframe

FOCAL_GUESS = 1.2
"""Times the longer side, where nothing is known: COLMAP's default, about 45 degrees of view."""


def fill_database(
    path: Path, frames: Sequence[Keyframe], features: Sequence[Features], options: PosesOptions
) -> dict[str, int]:
    """Writes one camera per `Keyframe.camera` number and every image; returns the image ids by name."""
    with pycolmap.Database.open(path) as database, pycolmap.DatabaseTransaction(database):
        rigs = {}
        for frame in frames:
            if frame.camera not in rigs:
                rigs[frame.camera] = _write_camera(database, make_camera(frame, options))
        return {
            frame.image: _write_image(database, frame.image, *rigs[frame.camera], one)
            for frame, one in zip(frames, features, strict=True)
        }


def make_camera(frame: Keyframe, options: PosesOptions) -> pycolmap.Camera:
    """The prior of the camera that took this frame: given intrinsics, else the EXIF focal length, else a guess."""
    width, height = frame.size_wh
    if options.intrinsics is not None:
        return _given_camera(frame, options)
    focal_px = frame.focal_px or FOCAL_GUESS * max(width, height)
    camera = pycolmap.Camera.create_from_model_name(0, "SIMPLE_RADIAL", focal_px, width, height)
    camera.has_prior_focal_length = frame.focal_px is not None
    return camera


def _given_camera(frame: Keyframe, options: PosesOptions) -> pycolmap.Camera:
    assert options.intrinsics is not None
    width, height = frame.size_wh
    original_wh = options.intrinsics_size_wh or frame.size_wh
    scale_x, scale_y = width / original_wh[0], height / original_wh[1]
    fx, fy, cx, cy = options.intrinsics
    camera = pycolmap.Camera.create_from_model_name(0, "PINHOLE", fx, width, height)
    camera.params = [fx * scale_x, fy * scale_y, cx * scale_x, cy * scale_y]
    camera.has_prior_focal_length = True
    return camera


def _write_camera(database: pycolmap.Database, camera: pycolmap.Camera) -> tuple[int, int]:
    camera.camera_id = database.write_camera(camera)
    rig = pycolmap.Rig()
    rig.add_ref_sensor(camera.sensor_id)
    return camera.camera_id, database.write_rig(rig)


def _write_image(
    database: pycolmap.Database, name: str, camera_id: int, rig_id: int, features: Features
) -> int:
    image = pycolmap.Image(name=name, camera_id=camera_id)
    image.image_id = database.write_image(image)
    frame = pycolmap.Frame()
    frame.rig_id = rig_id
    frame.add_data_id(image.data_id)
    database.write_frame(frame)
    database.write_keypoints(image.image_id, features.keypoints)
    descriptors = pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, features.descriptors)
    database.write_descriptors(image.image_id, descriptors)
    return image.image_id
