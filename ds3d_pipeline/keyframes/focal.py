"""Focal length priors from EXIF."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib import resources

from ds3d_pipeline.scene import Exif

FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)
_PLAUSIBLE = (0.2, 20.0)
"""Focal length over the longer side, from a fisheye to a 720 mm telephoto; beyond that EXIF is wrong."""


def focal_px_from_exif(exif: Exif, size_wh: tuple[int, int]) -> float | None:
    """Focal length in pixels of a picture of `size_wh`, None if EXIF does not give it.

    From the 35 mm equivalent, which CIPA DCG-001 defines by the picture's diagonal (43.27 mm), else from the
    focal length and the width of the sensor of known cameras.
    """
    focal_px: float | None = None
    sensor_width_mm = sensor_width_mm_of(exif)
    if exif.focal_35mm is not None:
        focal_px = exif.focal_35mm / FULL_FRAME_DIAGONAL_MM * math.hypot(*size_wh)
    elif exif.focal_mm is not None and sensor_width_mm is not None:
        focal_px = exif.focal_mm / sensor_width_mm * max(size_wh)
    if focal_px is None or not _PLAUSIBLE[0] <= focal_px / max(size_wh) <= _PLAUSIBLE[1]:
        return None
    return focal_px


def sensor_width_mm_of(exif: Exif) -> float | None:
    """Longer side of the camera's sensor in millimetres, None for a camera that the table does not have."""
    return _sensor_widths_mm().get((exif.model or "").strip().casefold())


@cache
def _sensor_widths_mm() -> dict[str, float]:
    """By EXIF model in lower case; the makers' published sizes."""
    table = (
        resources.files("ds3d_pipeline.keyframes")
        .joinpath("sensor_widths_mm.json")
        .read_text(encoding="utf-8")
    )
    return {model.casefold(): float(width_mm) for model, width_mm in json.loads(table).items()}
