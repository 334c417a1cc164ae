"""The knobs of the poses stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PosesOptions:
    """Structure from motion."""

    max_side_px: int = 1280
    """Size at which features are extracted."""
    max_features: int = 4096
    """Of one frame; twice as many where they do not place the frames."""
    sequential_overlap: int = 5
    """Video frames are matched with this many following frames."""
    similar_frames: int = 3
    """Video frames are also matched with this many others that look alike, to close loops."""
    exhaustive_up_to: int = 60
    """Photos up to this many are matched all with all."""
    similar_photos: int = 20
    """More photos are matched with this many that look alike, and with neighbours in time and by GPS."""
    K: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]] | None = None
    """Known intrinsics, kept fixed: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels of the source files,
    which must be upright, of one size and without lens distortion."""
    min_registered: int = 3
    seed: int = 0
