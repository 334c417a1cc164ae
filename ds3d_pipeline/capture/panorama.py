"""Whether a picture is a 360-degree panorama (equirectangular), which no pinhole camera explains."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.formats.images import gray_of, shrunk
from ds3d_pipeline.scene import Float64, UInt8

REMEDY = "Film with an ordinary camera, or cut it into ordinary views first (COLMAP's panorama_sfm.py)."
_SHAPE = 2.0
"""Width by height of a whole sphere."""
SIDE_PX = 1024
"""Longer side at which edges are compared."""
_SMOOTH = 15
_LIKE = 0.3
"""Correlation of the details of both edges, above which they are neighbours on the sphere."""
_LEAST_DETAIL = 1.5
"""Gray levels (standard deviation): plain edges are alike in any picture."""


def has_shape(size_wh: tuple[int, int]) -> bool:
    """Whether a picture of this size may be a whole sphere."""
    return abs(size_wh[0] / size_wh[1] - _SHAPE) < 0.005


def says_so(xmp: Any) -> bool:
    """Whether the XMP block calls the picture equirectangular (Google's Photo Sphere XMP)."""
    text = xmp if isinstance(xmp, bytes) else b""
    return bool(re.search(rb"ProjectionType\W.{0,3}equirectangular", text, re.IGNORECASE))


def closes(rgb: UInt8) -> bool:
    """Whether the left edge of (H, W, 3) of that shape goes on where the right one ends, in its details."""
    gray = shrunk(gray_of(rgb), SIDE_PX).astype(np.float64)
    left, right = _details(gray[:, 0]), _details(gray[:, -1])
    if min(left.std(), right.std()) < _LEAST_DETAIL:
        return False
    return float(np.corrcoef(left, right)[0, 1]) > _LIKE


def refusal(name: str) -> InputError:
    """What to raise for the file of that name."""
    return InputError(f"{name} shows 360 degrees, which ds3d cannot use yet.", REMEDY)


def _details(column: Float64) -> Float64:
    """What is left without the slow change from top to bottom."""
    smooth = np.convolve(column, np.full(_SMOOTH, 1 / _SMOOTH), "valid")
    half = _SMOOTH // 2
    return column[half:-half] - smooth
