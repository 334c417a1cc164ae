"""Metres and the vertical from the photos' GPS positions, if they are accurate enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ds3d_pipeline.geometry.alignment import align_sim3_robust
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.scene import Float64, Keyframe

GPS_ERROR_M = 5.0
"""Of a phone under open sky (GPS.gov: 4.9 m)."""
MIN_PHOTOS = 5
MIN_SPREAD = 2.0
"""Spread of the places in `GPS_ERROR_M`; below it the scale would be a guess."""
MIN_SPREAD_FOR_DOWN = 5.0
"""The same across the path, for the vertical: better than what the cameras' own attitude gives."""
MIN_INLIERS = 0.7
MAX_ERROR_OF_SPREAD = 0.25


@dataclass(frozen=True, kw_only=True)
class GpsFit:
    """The pose of a model on the Earth."""

    metres_per_unit: float
    down: Float64 | None
    """(3,) unit vector in the model's frame; None if the positions are too close to a line."""
    photos: int
    error_m: float
    """RMS distance between the cameras and their GPS places."""


def fit_gps(centres: Mapping[str, Float64], frames: Sequence[Keyframe]) -> GpsFit | None:
    """How camera centres (3,) by image fit the GPS places; None where those are few, close or wrong.

    Heights are the worst part of GPS: where the fit fails with them, one place for all is tried.
    """
    known = [frame for frame in frames if frame.image in centres and _has_place(frame)]
    if len(known) < MIN_PHOTOS:
        return None
    level, heights_m = places_m(known)
    spreads_m = np.linalg.svd(level - level.mean(axis=0), compute_uv=False) / np.sqrt(len(level))
    if np.linalg.norm(spreads_m) < MIN_SPREAD * GPS_ERROR_M:
        return None
    in_model = np.array([centres[frame.image] for frame in known])
    for height_m in (heights_m, np.zeros(len(level))):
        fitted = None if height_m is None else _fit(in_model, np.c_[level, height_m])
        if fitted is not None:
            has_down = spreads_m[1] >= MIN_SPREAD_FOR_DOWN * GPS_ERROR_M
            return fitted if has_down else replace(fitted, down=None)
    return None


def _has_place(frame: Keyframe) -> bool:
    return frame.exif.latitude_deg is not None and frame.exif.longitude_deg is not None


def places_m(frames: Sequence[Keyframe]) -> tuple[Float64, Float64 | None]:
    """East and north (N, 2) of the first frame in metres, and heights (N,) if every frame has one."""
    exifs = [frame.exif for frame in frames]
    altitudes = [exif.altitude_m for exif in exifs if exif.altitude_m is not None]
    has_heights = len(altitudes) == len(exifs)
    places = np.array([[exif.latitude_deg, exif.longitude_deg, exif.altitude_m or 0.0] for exif in exifs])
    enu = pycolmap.GPSTransform().ellipsoid_to_enu(places, *places[0])
    return enu[:, :2], enu[:, 2] if has_heights else None


def _fit(centres: Float64, places: Float64) -> GpsFit | None:
    """RANSAC over the cameras; None where too few agree or their distances are large beside the spread."""
    try:
        # Not COLMAP's align_reconstruction_to_locations: 4.2.1 finds nothing where all places are level.
        earth_from_model, inliers = align_sim3_robust(centres, places, max_error=GPS_ERROR_M)
    except ValueError:
        return None
    errors_m = np.linalg.norm(earth_from_model.apply(centres) - places, axis=1)[inliers]
    error_m = float(np.sqrt(np.mean(errors_m**2)))
    spread_m = float(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=1).mean()))
    if inliers.mean() < MIN_INLIERS or error_m > MAX_ERROR_OF_SPREAD * spread_m:
        return None
    return GpsFit(
        metres_per_unit=earth_from_model.scale,
        down=-earth_from_model.R[2],
        photos=int(inliers.sum()),
        error_m=error_m,
    )
