"""Metres and the vertical from the photos' GPS positions, where they are good enough to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pycolmap

from ds3d_pipeline.scene import Float64, Keyframe

GPS_ERROR_M = 5.0
"""Of a phone under open sky (GPS.gov: 4.9 m)."""
MIN_PHOTOS = 5
MIN_SPREAD = 2.0
"""Spread of the places in `GPS_ERROR_M`; below it the scale would be a guess."""
MIN_SPREAD_FOR_DOWN = 5.0
"""The same across the path, for the vertical: better than what the cameras' own attitude tells."""
MIN_INLIERS = 0.7
MAX_ERROR_OF_SPREAD = 0.25


@dataclass(frozen=True, kw_only=True)
class GpsFit:
    """How a model lies on the Earth."""

    metres_per_unit: float
    down: Float64 | None
    """(3,) unit vector in the model's frame; None where the places lie too near a line to tell."""
    photos: int
    error_m: float
    """RMS distance between the cameras and their GPS places."""


def fit_gps(model: pycolmap.Reconstruction, frames: Sequence[Keyframe]) -> GpsFit | None:
    """The similarity from a model to GPS places; None where they are few, too close, or do not fit.

    Heights are the worst part of GPS: where the fit fails with them, one place for all is tried.
    """
    centres = {image.name: image.projection_center() for image in model.images.values() if image.has_pose}
    known = [frame for frame in frames if frame.image in centres and _has_place(frame)]
    if len(known) < MIN_PHOTOS:
        return None
    level, heights_m = places_m(known)
    spreads_m = np.linalg.svd(level - level.mean(axis=0), compute_uv=False) / np.sqrt(len(level))
    if np.linalg.norm(spreads_m) < MIN_SPREAD * GPS_ERROR_M:
        return None
    names, in_model = [f.image for f in known], np.array([centres[f.image] for f in known])
    for height_m in (heights_m, np.zeros(len(level))):
        fitted = None if height_m is None else _fit(model, names, in_model, np.c_[level, height_m])
        if fitted is not None:
            has_down = spreads_m[1] >= MIN_SPREAD_FOR_DOWN * GPS_ERROR_M
            return fitted if has_down else replace(fitted, down=None)
    return None


def _has_place(frame: Keyframe) -> bool:
    return frame.exif.latitude_deg is not None and frame.exif.longitude_deg is not None


def places_m(frames: Sequence[Keyframe]) -> tuple[Float64, Float64 | None]:
    """East and north (N, 2) of the first frame in metres, and heights (N,) where every frame tells one."""
    exifs = [frame.exif for frame in frames]
    altitudes = [exif.altitude_m for exif in exifs if exif.altitude_m is not None]
    has_heights = len(altitudes) == len(exifs)
    places = np.array([[exif.latitude_deg, exif.longitude_deg, exif.altitude_m or 0.0] for exif in exifs])
    enu = pycolmap.GPSTransform().ellipsoid_to_enu(places, *places[0])
    return enu[:, :2], enu[:, 2] if has_heights else None


def _fit(
    model: pycolmap.Reconstruction, names: list[str], centres: Float64, places: Float64
) -> GpsFit | None:
    """RANSAC over the cameras; None where too few agree or their distances are large beside the spread."""
    ransac = pycolmap.RANSACOptions(max_error=GPS_ERROR_M, random_seed=0)
    earth_from_model = pycolmap.align_reconstruction_to_locations(model, names, places, MIN_PHOTOS, ransac)
    if earth_from_model is None:
        return None
    errors_m = np.linalg.norm(earth_from_model * centres - places, axis=1)
    inliers = errors_m <= GPS_ERROR_M
    if inliers.mean() < MIN_INLIERS:
        return None
    error_m = float(np.sqrt(np.mean(errors_m[inliers] ** 2)))
    spread_m = float(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=1).mean()))
    if error_m > MAX_ERROR_OF_SPREAD * spread_m:
        return None
    down = -earth_from_model.rotation.matrix()[2]
    return GpsFit(
        metres_per_unit=float(earth_from_model.scale), down=down, photos=int(inliers.sum()), error_m=error_m
    )
