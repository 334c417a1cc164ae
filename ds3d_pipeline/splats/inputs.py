"""What the splat program reads: cameras, photos and the best points there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.scene import Float32, Float64, PointCloud, Reconstruction, UInt8, View

_DENSE_NAMES = ("pointcloud.ply", "points.ply")


@dataclass(frozen=True, kw_only=True)
class Photo:
    """One undistorted photo with its camera, at the size it is trained at."""

    name: str
    pixels: UInt8
    """(H, W, 3) RGB."""
    K: Float64
    """(3, 3), pixels of `pixels`."""
    cam_from_world: Float64
    """(4, 4)."""


def read_cameras(folder: Path) -> Reconstruction:
    """The reconstruction in `folder/sparse`; raises InputError where there is none or it has no view."""
    from ds3d_pipeline.formats.colmap import read_reconstruction

    reconstruction = read_reconstruction(folder / "sparse")
    if not reconstruction.views:
        raise InputError(f"{folder / 'sparse'} holds no registered image.", "Run the poses stage first.")
    return reconstruction


def read_points(folder: Path, reconstruction: Reconstruction) -> tuple[PointCloud, str]:
    """The dense points where the folder has them, else the sparse ones (without normals); and which it was.

    Raises InputError where there are no points at all.
    """
    from ds3d_pipeline.formats.ply import read_pointcloud

    for name in _DENSE_NAMES:
        if (folder / name).is_file():
            points = read_pointcloud(folder / name)
            if len(points.points_in_world):
                return points, "dense"
    if len(reconstruction.points_in_world) == 0:
        raise InputError(f"{folder} holds neither dense nor sparse points.", "Run the poses stage first.")
    means = reconstruction.points_in_world.astype(np.float32)
    sparse = PointCloud(
        points_in_world=means, normals=np.zeros_like(means), colors=reconstruction.colors.astype(np.uint8)
    )
    return sparse, "sparse"


def read_photo(folder: Path, view: View, max_side_px: int) -> Photo:
    """One photo from `folder/images`, shrunk so that its longer side is at most `max_side_px`.

    Raises InputError where the file is missing or no picture.
    """
    path = folder / "images" / view.image
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise InputError(f"{path} is missing or no picture.", "Run the poses stage again.")
    rgb = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
    scale = min(1.0, max_side_px / max(rgb.shape[:2]))
    size_wh = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    # The camera is stated in pixels of the registered size, which the file on disk may differ from.
    K = scaled_K(view.K, view.image_size_wh, size_wh)
    return Photo(name=view.image, pixels=resized(rgb, size_wh), K=K, cam_from_world=view.cam_from_world)


def scaled_K(K: Float64, from_wh: tuple[int, int], to_wh: tuple[int, int]) -> Float64:
    """K (3, 3) of the same picture at another size; pixel centres are at halves."""
    return np.diag([to_wh[0] / from_wh[0], to_wh[1] / from_wh[1], 1.0]) @ K


def resized(rgb: UInt8, size_wh: tuple[int, int]) -> UInt8:
    """The picture at a smaller (or equal) size, by area averaging."""
    if (rgb.shape[1], rgb.shape[0]) == tuple(size_wh):
        return rgb
    return np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def as_float(rgb: UInt8) -> Float32:
    """(3, H, W) float32 in [0, 1], the layout the kernels work in."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1) / np.float32(255), np.float32)
