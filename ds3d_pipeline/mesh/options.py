"""The options of the mesh stage, and of the algorithms in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ds3d_pipeline.programs.options import Allowed, Fraction, SidePx, checked, options_record


@options_record
class FreeSpaceOptions:
    """How depth maps support or contradict points."""

    agree: Fraction = 0.01
    """Maximum relative difference in depth between a point and a depth map that supports it."""
    behind: Fraction = 0.02
    """A depth map whose surface is this much (relative) behind a point contradicts it."""
    min_angle_deg: Annotated[float, Field(ge=0, le=180)] = 0.5
    """Points whose supporting views are closer together than this angle are not used."""


@options_record
class TrimOptions:
    """How far the surface may extend beyond the points, in units of their local spacing."""

    max_spacings: Annotated[float, Field(gt=0, le=1000)] = 4.0
    """Maximum distance of the surface from the points."""
    max_sparsity: Annotated[float, Field(gt=0, le=1000)] = 3.0
    """Upper limit of the spacing, in multiples of the usual spacing (both as seen by the nearest camera)."""
    max_edge_spacings: Annotated[float, Field(gt=0, le=10_000)] = 16.0
    """Maximum length of an edge; longer ones bridge areas without points."""
    neighbours: Annotated[int, Field(ge=1, le=1000)] = 8
    """The spacing is the distance to the n-th nearest point."""
    smoothing: Annotated[int, Field(ge=0, le=1000)] = 6
    """Smoothing rounds before trimming, for a smooth border."""
    max_hole_fraction: Fraction = 0.005
    """Holes up to this fraction of the surface's area are filled."""
    min_component_fraction: Fraction = 0.02
    """Pieces smaller than this fraction of the largest are removed."""


@options_record
class ReliefOptions:
    """Triangulation of one depth map."""

    max_step: Fraction = 0.05
    """Maximum relative change of depth between neighbouring pixels of one surface."""
    tolerance: Fraction = 0.002
    """Mean relative deviation of inverse depth from a plane below which a vertex is omitted."""
    coarsest_px: Annotated[int, Field(ge=1, le=1024)] = 32
    """Maximum spacing of vertices."""
    min_component_fraction: Fraction = 0.001
    """Pieces smaller than this fraction of the largest are removed."""
    max_texture_px: SidePx = 4096
    """Maximum side of the photo used as texture."""


@options_record
class ViewQualityOptions:
    """How well each photo sees each part of the surface."""

    max_side_px: SidePx = 800
    """Image size (longer side) at which visibility is tested."""
    depth_slack: Fraction = 0.002
    """A vertex this much (relative) behind the nearest surface still counts as visible."""
    depth_jump: Fraction = 0.03
    """Relative difference in depth between neighbouring pixels that makes an outline between them."""
    outline_margin: Fraction = 0.01
    """Margin along outlines in which a photo gets less weight, as a fraction of its longer side."""
    border_margin: Fraction = 0.02
    """The same for the photo's border, where lenses are darkest and least sharp."""
    min_trust: Fraction = 0.02
    """Minimum weight of a pixel that sees the surface."""
    min_cosine: Annotated[float, Field(ge=0, le=0.99)] = 0.1
    """Cosine of the flattest viewing angle at which a photo is used."""
    blur_px: Annotated[float, Field(gt=0, le=100)] = 2.0
    """Blur of the photos for vertex colours, about the error of the camera positions."""


@options_record
class BakeOptions:
    """Blending of photos into the texture."""

    coarse_fraction: Fraction = 0.008
    """Blur that separates coarse from fine detail, as a fraction of the photo's longer side."""
    detail_power: Annotated[float, Field(ge=0, le=100)] = 8.0
    """Exponent of the weights for fine detail; the higher, the more the best photo dominates."""
    coarse_power: Annotated[float, Field(ge=0, le=100)] = 2.0
    """The same for coarse detail."""
    min_weight: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Photos with less weight than this fraction of the best are not used."""
    depth_slack: Fraction = 0.004
    """A texel this much (relative) behind the nearest surface still counts as visible."""


def _why_no_texture(side_px: int) -> str | None:
    return None if side_px == 0 or side_px >= 64 else "it is too small"


TexturePx = Annotated[
    int,
    Field(ge=0, le=32_768),
    AfterValidator(checked(_why_no_texture)),
    Allowed("0, or a whole number from 64 to 32768"),
]


@options_record
class MeshOptions:
    """Surface, decimation and texture."""

    poisson_depth: Annotated[int, Field(ge=3, le=14)] = 9
    """Depth of the Poisson octree; each level doubles the detail."""
    max_faces: Annotated[int, Field(ge=100, le=50_000_000)] = 150_000
    """Maximum number of triangles of the finished mesh."""
    texture_px: TexturePx = 4096
    """Maximum side of the texture (rounded down to a power of two); 0: vertex colours instead."""
    max_megabytes: Annotated[float, Field(ge=0.1, le=100_000)] = 25.0
    """Maximum size of model.glb in MB; the texture's JPEG quality is reduced to fit."""
    free_space: FreeSpaceOptions = FreeSpaceOptions()
    trim: TrimOptions = TrimOptions()
    relief: ReliefOptions = ReliefOptions()
    view_quality: ViewQualityOptions = ViewQualityOptions()
    bake: BakeOptions = BakeOptions()
