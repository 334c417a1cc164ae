"""What the splat program reads: cameras, photos and the best points there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.formats.images import read_gray, read_rgb
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
    mask: UInt8 | None = None
    """(H, W), 0 where the photo is to be ignored; None if all of it is used."""

    @property
    def centre_in_world(self) -> Float64:
        """(3,) camera centre in scene units."""
        return -self.cam_from_world[:3, :3].T @ self.cam_from_world[:3, 3]


def read_cameras(folder: Path) -> Reconstruction:
    """The reconstruction in `sparse/0` or `sparse` of `folder`.

    Raises InputError where it has no view, and StageError where there is none.
    """
    from ds3d_pipeline.formats.colmap import model_folder, read_reconstruction

    reconstruction = read_reconstruction(model_folder(folder) or folder / "sparse")
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
    return sparse_points(reconstruction), "sparse"


def sparse_points(reconstruction: Reconstruction) -> PointCloud:
    """The points of the reconstruction itself, without normals."""
    means = reconstruction.points_in_world.astype(np.float32)
    colors = reconstruction.colors.astype(np.uint8)
    return PointCloud(points_in_world=means, normals=np.zeros_like(means), colors=colors)


def read_photo(folder: Path, view: View, max_side_px: int) -> Photo:
    """One photo from `folder/images`, shrunk so that its longer side is at most `max_side_px`.

    `folder/masks/<image>.png` (as COLMAP names it) or `<image without its ending>.png` is its mask, if there.
    Raises StageError where the file is missing or no picture, InputError where the mask has another size.
    """
    rgb = read_rgb(folder / "images" / view.image)
    mask = _read_mask(folder / "masks", view.image, rgb.shape[:2])
    scale = min(1.0, max_side_px / max(rgb.shape[:2]))
    size_wh = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    # The camera is stated in pixels of the registered size, which the file on disk may differ from.
    K = scaled_K(view.K, view.image_size_wh, size_wh)
    return Photo(
        name=view.image,
        pixels=resized(rgb, size_wh),
        K=K,
        cam_from_world=view.cam_from_world,
        mask=_resized_mask(mask, size_wh),
    )


def shrunk(photo: Photo, shrink: int) -> Photo:
    """The photo at a whole fraction of its size, at least one pixel."""
    if shrink == 1:
        return photo
    height, width = photo.pixels.shape[:2]
    size_wh = (max(width // shrink, 1), max(height // shrink, 1))
    return Photo(
        name=photo.name,
        pixels=resized(photo.pixels, size_wh),
        K=scaled_K(photo.K, (width, height), size_wh),
        cam_from_world=photo.cam_from_world,
        mask=_resized_mask(photo.mask, size_wh),
    )


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


class Pyramid:
    """Photos at the size that training is at, made when first asked for and forgotten with their size."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        self._photos = photos
        self._shrink = 1
        self._small: dict[int, Photo] = {}

    def photo(self, index: int, shrink: int) -> Photo:
        """One of the photos, shrunk so many times."""
        if shrink != self._shrink:
            self._shrink, self._small = shrink, {}
        if shrink == 1:
            return self._photos[index]
        if index not in self._small:
            self._small[index] = shrunk(self._photos[index], shrink)
        return self._small[index]


def _read_mask(folder: Path, image: str, size_hw: tuple[int, ...]) -> UInt8 | None:
    for path in (folder / f"{image}.png", (folder / image).with_suffix(".png")):
        if path.is_file():
            mask = read_gray(path)
            if mask.shape != tuple(size_hw):
                raise InputError(
                    f"{path} is {mask.shape[1]}x{mask.shape[0]}, its photo {size_hw[1]}x{size_hw[0]}.",
                    "Give masks the size of their photos.",
                )
            return mask
    return None


def _resized_mask(mask: UInt8 | None, size_wh: tuple[int, int]) -> UInt8 | None:
    """A pixel stays valid only where all that it covers is."""
    if mask is None:
        return None
    valid = np.where(mask > 0, 255, 0).astype(np.uint8)
    return np.where(resized(valid, size_wh) == 255, 255, 0).astype(np.uint8)
