"""What the mapping knows: the tracks of features, and cameras and points that explain them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.scene import Float64, Int32

Bool = NDArray[np.bool_]
UNDISTORT_ROUNDS = 8


@dataclass(frozen=True, kw_only=True)
class Tracks:
    """Features that show the same point, as observations sorted by track; they never change."""

    pixels: Float64
    """(M, 2) first pixel's centre at (0.5, 0.5)."""
    images: Int32
    """(M,)."""
    tracks: Int32
    """(M,) ascending."""
    starts: Int32
    """(T + 1,) where each track's observations begin."""

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, kw_only=True)
class Cameras:
    """What is known before mapping of N images taken by C cameras."""

    of_image: Int32
    """(N,) number of the image's camera, 0 to C - 1."""
    centres_px: Float64
    """(C, 2) principal points."""
    focals_px: Float64
    """(C,) first values."""
    focal_sigmas: Float64
    """(C,) how far they may be off, as a fraction."""
    sides_px: Float64
    """(C,) longer side."""
    K: Float64 | None = None
    """(3, 3) the user's intrinsics of the one camera; the observations are then `squared`."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Cameras and points at some state of the mapping. COLMAP's SIMPLE_RADIAL: x * (1 + k r^2) * f + c."""

    rotations: Float64
    """(N, 3, 3) cam_from_world; unused where the image is not registered."""
    translations: Float64
    """(N, 3)."""
    registered: Bool
    """(N,)."""
    intrinsics: Float64
    """(C, 2) focal length in pixels and radial term."""
    points: Float64
    """(T, 3) in the world; NaN where a track has no point."""
    used: Bool
    """(M,) observations that agree with their point."""


def squared(pixels: Float64, K: Float64, centre_px: Float64) -> Float64:
    """(M, 2) pixels of camera K as the camera of focal length K[0, 0] around `centre_px` (2,) sees them."""
    return (pixels - K[:2, 2]) * (K[0, 0] / np.diag(K)[:2]) + centre_px


def normalized(tracks: Tracks, cameras: Cameras, intrinsics: Float64) -> Float64:
    """(M, 2) observations on the plane z = 1 of their camera, undistorted."""
    camera = cameras.of_image[tracks.images]
    return undistort(tracks.pixels, cameras.centres_px[camera], intrinsics[camera])


def undistort(pixels: Float64, centres_px: Float64, intrinsics: Float64) -> Float64:
    """(M, 2) pixels on the plane z = 1; centres (M, 2) and intrinsics (M, 2) go with each."""
    distorted = (pixels - centres_px) / intrinsics[:, :1]
    xy = distorted
    for _ in range(UNDISTORT_ROUNDS):
        # Newton on the radius: the map stays monotone where a lens is worth its name.
        r2, k = (xy**2).sum(axis=1, keepdims=True), intrinsics[:, 1:]
        radius_error = (distorted - xy * (1 + k * r2)) / np.maximum(1 + 3 * k * r2, 0.2)
        xy = xy + radius_error
    return xy


def project(
    rotations: Float64, translations: Float64, intrinsics: Float64, centres_px: Float64, points: Float64
) -> tuple[Float64, Float64]:
    """Pixels (M, 2) and depths (M,) of points (M, 3), each through its own camera."""
    in_cam = np.einsum("mij,mj->mi", rotations, points) + translations
    depth = in_cam[:, 2]
    xy = in_cam[:, :2] / np.where(np.abs(depth) > 1e-12, depth, 1e-12)[:, None]
    stretch = 1 + intrinsics[:, 1] * (xy**2).sum(axis=1)
    return centres_px + xy * (intrinsics[:, 0] * stretch)[:, None], depth


def errors_px(tracks: Tracks, cameras: Cameras, model: Model) -> Float64:
    """(M,) reprojection errors; infinite behind a camera, where it is not registered or there is no point."""
    errors = np.full(len(tracks.images), np.inf)
    there = model.registered[tracks.images] & np.isfinite(model.points[tracks.tracks, 0])
    images = tracks.images[there]
    camera = cameras.of_image[images]
    seen, depth = project(
        model.rotations[images],
        model.translations[images],
        model.intrinsics[camera],
        cameras.centres_px[camera],
        model.points[tracks.tracks[there]],
    )
    error = np.linalg.norm(seen - tracks.pixels[there], axis=1)
    errors[there] = np.where(depth > 0, error, np.inf)
    return errors


def point_errors_px(tracks: Tracks, cameras: Cameras, model: Model) -> Float64:
    """(P,) mean reprojection error of every point, over the observations that are used."""
    owners = tracks.tracks[model.used]
    sums = np.bincount(owners, errors_px(tracks, cameras, model)[model.used], minlength=len(tracks))
    counts = np.bincount(owners, minlength=len(tracks))
    return sums[counts > 0] / counts[counts > 0]


def centres_in_world(model: Model) -> Float64:
    """(N, 3) camera centres."""
    return -np.einsum("nji,nj->ni", model.rotations, model.translations)
