"""The options of the poses stage."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from ds3d_pipeline.programs.options import Allowed, Seed, SidePx, checked, options_record

Row: TypeAlias = tuple[float, float, float]
Intrinsics: TypeAlias = tuple[Row, Row, Row]
_LONGEST_PX = 1e6


def why_no_intrinsics(K: Intrinsics | None) -> str | None:
    """Why a matrix is not that of a pinhole camera; None if it is."""
    if K is None:
        return None
    (fx, skew, cx), (down, fy, cy), last = K
    if not all(math.isfinite(value) and abs(value) <= _LONGEST_PX for row in K for value in row):
        return "a value is not finite or far too large"
    if fx <= 0 or fy <= 0:
        return "a focal length is not above 0"
    if skew != 0 or down != 0 or last != (0, 0, 1):
        return "it is not [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"
    return None if cx >= 0 and cy >= 0 else "its centre is outside of the picture"


KnownIntrinsics = Annotated[
    Intrinsics | None,
    AfterValidator(checked(why_no_intrinsics)),
    Allowed("[[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels with fx and fy above 0, or nothing"),
]


@options_record
class PosesOptions:
    """Structure from motion."""

    max_side_px: SidePx = 1280
    """Longer side of the images used for feature extraction."""
    max_features: Annotated[int, Field(ge=16, le=200_000)] = 4096
    """Maximum number of features per image; doubled if too few images can be aligned."""
    sequential_overlap: Annotated[int, Field(ge=1, le=1000)] = 5
    """Each video frame is matched with this many following frames."""
    similar_frames: Annotated[int, Field(ge=0, le=1000)] = 3
    """Each video frame is also matched with this many similar ones, to close loops."""
    exhaustive_up_to: Annotated[int, Field(ge=0, le=10_000)] = 60
    """Up to this many photos, every pair is matched."""
    similar_photos: Annotated[int, Field(ge=0, le=1000)] = 20
    """With more photos, each is matched with this many similar ones and with neighbours in time and GPS."""
    K: KnownIntrinsics = None
    """Known intrinsics, kept fixed: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels of the source files,
    which must be upright, of one size and without lens distortion."""
    min_registered: Annotated[int, Field(ge=2, le=10_000)] = 3
    """With fewer aligned keyframes the stage fails."""
    seed: Seed = 0
    """Random seed."""
