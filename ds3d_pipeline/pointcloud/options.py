"""The knobs of the point cloud stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PointcloudOptions:
    """Fusion of depth maps."""

    max_points: int = 2_000_000
