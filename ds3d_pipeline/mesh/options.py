"""The knobs of the mesh stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MeshOptions:
    """Surface, decimation and texture."""

    poisson_depth: int = 9
    max_faces: int = 150_000
    texture_px: int = 4096
    """Longest side of the texture; 0 keeps vertex colours."""
    max_megabytes: float = 25.0
    """Size of the finished file, kept by the texture's JPEG quality."""
