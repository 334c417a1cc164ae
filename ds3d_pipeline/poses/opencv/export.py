"""The mapped model as the stage's files: pinhole images beside a COLMAP model in our world frame."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.geometry.cameras import intrinsics
from ds3d_pipeline.poses.normalize import normalize
from ds3d_pipeline.poses.opencv.model import Cameras, Model, Tracks, normalized
from ds3d_pipeline.poses.report import SceneScale
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.scene import Float64, Keyframe, UInt8

STRONGEST = -4 / 27
"""Of k r^2: beyond it no magnification fills the picture."""


def flat_K(focal_px: float, radial_k: float, size_wh: tuple[int, int]) -> Float64:
    """(3, 3) of the pinhole camera of the same size that sees as much as it can without blank pixels.

    Its focal length is s times the old one with (1 + k r^2 / s^2) / s = 1 at the point of the border, r off
    the axis, that leaves the picture first: a corner, or for k < 0 the middle of a longer side.
    """
    half = np.array(size_wh) / (2 * focal_px)
    radius = float(np.linalg.norm(half) if radial_k > 0 else half.min())
    roots = np.roots([1.0, -1.0, 0.0, -max(radial_k * radius**2, STRONGEST)])
    # At STRONGEST two roots meet, and rounding may give them a small imaginary part.
    scale = roots[np.abs(roots.imag) < 1e-6].real.max()
    return intrinsics(focal_px * float(scale), size_wh)


def flatten(pixels: UInt8, focal_px: float, radial_k: float, K: Float64) -> UInt8:
    """The picture (H, W, 3) as the pinhole camera K sees it."""
    height, width = pixels.shape[:2]
    old, new = intrinsics(focal_px, (width, height)), K.copy()
    # OpenCV counts from the centre of the first pixel.
    old[:2, 2] -= 0.5
    new[:2, 2] -= 0.5
    distortion = np.array([radial_k, 0, 0, 0])
    u, v = cv2.initUndistortRectifyMap(old, distortion, np.eye(3), new, (width, height), cv2.CV_32FC1)
    return np.asarray(cv2.remap(pixels, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


JPEG = [cv2.IMWRITE_JPEG_QUALITY, 97]


def write_model(
    output: Path,
    source_images: Path,
    frames: Sequence[Keyframe],
    tracks: Tracks,
    cameras: Cameras,
    model: Model,
) -> SceneScale:
    """Writes `images/` and `sparse/` into `output`, whole or not at all; returns the unit.

    `frames` are the model's images.
    """
    Ks = _flat_Ks(frames, cameras, model)
    of_observation = cameras.of_image[tracks.images]
    xy = normalized(tracks, cameras, model.intrinsics)
    flat_pixels = np.einsum("mij,mj->mi", np.stack(Ks)[of_observation, :2, :2], xy)
    flat_pixels += np.stack(Ks)[of_observation, :2, 2]
    scratch = clear_folder(output / "scratch")
    (scratch / "images").mkdir()

    def flatten_one(image: int) -> UInt8:
        camera = cameras.of_image[image]
        rows = model.used & (tracks.images == image)
        file = frames[image].image
        pixels = read_rgb(source_images / file)
        if cameras.K is not None:
            shutil.copyfile(source_images / file, scratch / "images" / file)
            return _colors(pixels, flat_pixels[rows])
        focal_px, radial_k = model.intrinsics[camera].tolist()
        flat = flatten(pixels, focal_px, radial_k, Ks[camera])
        cv2.imwrite(str(scratch / "images" / file), flat[:, :, ::-1], JPEG)
        return _colors(flat, flat_pixels[rows])

    registered = np.flatnonzero(model.registered)
    colors = np.zeros((len(tracks.images), 3), np.uint8)
    with ThreadPoolExecutor(max_workers=allowed_cpus()) as pool:
        for image, found in zip(registered, pool.map(flatten_one, registered), strict=True):
            colors[model.used & (tracks.images == image)] = found
    reconstruction = to_colmap(frames, tracks, cameras, model, Ks, flat_pixels, colors)
    scale = normalize(reconstruction, frames)
    reconstruction.write(clear_folder(output / "sparse"))
    shutil.rmtree(output / "images", ignore_errors=True)
    shutil.move(scratch / "images", output / "images")
    shutil.rmtree(scratch)
    return scale


def _flat_Ks(frames: Sequence[Keyframe], cameras: Cameras, model: Model) -> list[Float64]:
    """(3, 3) of each camera's flat pictures; given intrinsics are those of flat pictures already."""
    if cameras.K is not None:
        return [cameras.K]
    return [
        flat_K(float(f), float(k), _size(cameras, frames, camera))
        for camera, (f, k) in enumerate(model.intrinsics)
    ]


def to_colmap(
    frames: Sequence[Keyframe],
    tracks: Tracks,
    cameras: Cameras,
    model: Model,
    Ks: Sequence[Float64],
    flat_pixels: Float64,
    colors: UInt8,
) -> pycolmap.Reconstruction:
    """The registered images as PINHOLE cameras, and the points with the observations that are used.

    `flat_pixels` and `colors` (M, 2) and (M, 3) are of the observations in the flat images.
    """
    reconstruction = pycolmap.Reconstruction()
    registered = np.flatnonzero(model.registered).tolist()
    for camera in np.unique(cameras.of_image[registered]).tolist():
        reconstruction.add_camera_with_trivial_rig(
            _pinhole(camera + 1, Ks[camera], _size(cameras, frames, camera))
        )
    place_in_image = np.zeros(len(tracks.images), int)
    for number in registered:
        rows = np.flatnonzero(model.used & (tracks.images == number))
        place_in_image[rows] = np.arange(len(rows))
        image = pycolmap.Image(
            name=frames[number].image,
            keypoints=flat_pixels[rows],
            camera_id=int(cameras.of_image[number]) + 1,
            image_id=int(number) + 1,
        )
        rotation = pycolmap.Rotation3d(model.rotations[number])
        pose = pycolmap.Rigid3d(rotation, model.translations[number])
        reconstruction.add_image_with_trivial_frame(image, pose)
    for number in np.flatnonzero(np.isfinite(model.points[:, 0])):
        low, high = tracks.starts[number : number + 2].tolist()
        rows = low + np.flatnonzero(model.used[low:high])
        track = pycolmap.Track()
        for row in rows:
            track.add_element(int(tracks.images[row]) + 1, int(place_in_image[row]))
        color = np.round(colors[rows].mean(axis=0)).astype(np.uint8)
        reconstruction.add_point3D(model.points[number], track, color)
    reconstruction.update_point_3d_errors()
    return reconstruction


def _pinhole(camera_id: int, K: Float64, size_wh: tuple[int, int]) -> pycolmap.Camera:
    params = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    return pycolmap.Camera(
        camera_id=camera_id, model="PINHOLE", width=size_wh[0], height=size_wh[1], params=params
    )


def _size(cameras: Cameras, frames: Sequence[Keyframe], camera: int) -> tuple[int, int]:
    return frames[int(np.argmax(cameras.of_image == camera))].size_wh


def _colors(flat: UInt8, pixels: Float64) -> UInt8:
    """(M, 3) RGB at pixels (M, 2) of a picture."""
    height, width = flat.shape[:2]
    columns, rows = np.clip(pixels, 0, [width - 1, height - 1]).astype(int).T
    return flat[rows, columns]
