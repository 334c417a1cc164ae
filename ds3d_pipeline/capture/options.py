"""The knobs of the capture stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CaptureOptions:
    """Bounds on what is accepted."""

    max_files: int = 2000
    max_bytes: int = 20_000_000_000
    min_side_px: int = 64
