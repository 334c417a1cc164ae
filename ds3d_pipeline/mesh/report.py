"""The report of the mesh stage."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record


@report_record
class TextureReport:
    """The texture."""

    charts: int
    scale: float
    """Texels per photo pixel."""
    filled: float
    """Fraction of the texture that belongs to the mesh."""
    shown: float
    """Fraction of that which at least one photo shows; the rest is filled from its neighbours."""
    gains: tuple[float, float]
    """Smallest and largest factor of the exposure compensation."""


@report_record
class MeshReport:
    """The surface."""

    vertices: int
    faces: int
    """Triangles."""
    texture_size: int = 0
    """Longer side of the texture in pixels; 0 of a mesh with colours at its vertices."""
    faces_before: int | None = None
    """Triangles before trimming and decimation; None of a relief."""
    largest_piece: float | None = None
    """Fraction of the surface in its largest connected piece; None of a relief."""
    texture: TextureReport | None = None
    """None without a texture, and of a relief."""
    view: str | None = None
    """The image that a relief is made of."""
