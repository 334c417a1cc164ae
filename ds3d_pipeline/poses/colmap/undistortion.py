"""Pictures and model as pinhole cameras see them."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.scene import Float32, Float64, UInt8

JPEG = [cv2.IMWRITE_JPEG_QUALITY, 97]


@dataclass(frozen=True, kw_only=True)
class _Lens:
    """A camera, its pinhole twin, and where in the picture (H, W, 2) every pixel of the twin comes from."""

    camera: pycolmap.Camera
    pinhole: pycolmap.Camera
    sources: Float32 | None
    """In OpenCV's pixels; None where the camera is a pinhole already."""


def flatten(model: pycolmap.Reconstruction, source: Path, target: Path) -> pycolmap.Reconstruction:
    """Writes the registered images of `source`, undistorted, to `target`, and returns their model.

    Its cameras are PINHOLE and its points have the colours of the pictures. Pictures of pinhole cameras are
    copied as they are. Raises StageError naming a picture that cannot be read.
    """
    flat = pycolmap.Reconstruction(model)
    images = [flat.images[image_id] for image_id in flat.reg_image_ids()]
    lenses = {camera_id: _lens(model.cameras[camera_id]) for camera_id in {i.camera_id for i in images}}
    pixels = [_move_points(image, lenses[image.camera_id]) for image in images]

    def flatten_one(image: pycolmap.Image, xy: Float64) -> UInt8:
        return _colors(_flatten_picture(source, target, image.name, lenses[image.camera_id]), xy)

    target.mkdir(parents=True)
    with ThreadPoolExecutor(max_workers=allowed_cpus()) as pool:
        colors = dict(zip(flat.reg_image_ids(), pool.map(flatten_one, images, pixels), strict=True))
    for point in flat.points3D.values():
        seen = [colors[element.image_id][element.point2D_idx] for element in point.track.elements]
        point.color = np.round(np.mean(seen, axis=0)).astype(np.uint8)
    for camera_id, lens in lenses.items():
        _make_pinhole(flat.cameras[camera_id], lens.pinhole)
    return flat


def _lens(camera: pycolmap.Camera) -> _Lens:
    camera = pycolmap.Camera(camera.todict())
    pinhole = pycolmap.undistort_camera(pycolmap.UndistortCameraOptions(), camera)
    if camera.model_name == "PINHOLE":
        return _Lens(camera=camera, pinhole=pinhole, sources=None)
    rows, columns = np.indices((pinhole.height, pinhole.width)) + 0.5
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
    # OpenCV counts from the centre of the first pixel.
    sources = (_seen_by(camera, pinhole, centres) - 0.5).astype(np.float32)
    return _Lens(camera=camera, pinhole=pinhole, sources=sources.reshape(*rows.shape, 2))


def _seen_by(target: pycolmap.Camera, source: pycolmap.Camera, xy: Float64) -> Float64:
    """(N, 2) pixels of `target` that see what the pixels (N, 2) of `source` see."""
    rays = np.asarray(source.cam_from_img(xy))
    return np.asarray(target.img_from_cam(np.column_stack([rays, np.ones(len(rays))])))


def _move_points(image: pycolmap.Image, lens: _Lens) -> Float64:
    """Moves an image's keypoints to where the pinhole camera sees them, and returns them (N, 2)."""
    xy = np.array([point.xy for point in image.points2D]).reshape(-1, 2)
    if lens.sources is None or not len(xy):
        return xy
    xy = _seen_by(lens.pinhole, lens.camera, xy)
    for point, moved in zip(image.points2D, xy, strict=True):
        point.xy = moved
    return xy


def _flatten_picture(source: Path, target: Path, name: str, lens: _Lens) -> UInt8:
    """Writes one picture and returns it (H, W, 3)."""
    pixels = read_rgb(source / name)
    if lens.sources is None:
        shutil.copyfile(source / name, target / name)
        return pixels
    columns, rows = np.moveaxis(lens.sources, 2, 0).copy()
    flat = cv2.remap(pixels, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    cv2.imwrite(str(target / name), flat[:, :, ::-1], JPEG)
    return np.asarray(flat, np.uint8)


def _colors(picture: UInt8, xy: Float64) -> UInt8:
    """(N, 3) RGB at the pixels (N, 2) of a picture; those beyond its border take the border's."""
    inside = np.nan_to_num(np.clip(xy, 0, np.array(picture.shape[1::-1]) - 1)).astype(int)
    return picture[inside[:, 1], inside[:, 0]]


def _make_pinhole(camera: pycolmap.Camera, pinhole: pycolmap.Camera) -> None:
    camera.model, camera.params = pinhole.model, list(pinhole.params)
    camera.width, camera.height = pinhole.width, pinhole.height
