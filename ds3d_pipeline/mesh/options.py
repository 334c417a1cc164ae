"""The options of the mesh stage, and of the algorithms in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ds3d_pipeline.programs.options import Allowed, Fraction, SidePx, checked, options_record


@options_record
class FreeSpaceOptions:
    """When a depth map agrees with a point, and how the votes are counted."""

    agree: Fraction = 0.01
    """Largest relative difference in depth between a point and a map that supports it."""
    behind: Fraction = 0.02
    """A map whose surface is this much (relative) behind the point saw through it."""
    min_angle_deg: Annotated[float, Field(ge=0, le=180)] = 0.5
    """Points whose supporting views look from directions closer than this are not well measured."""


@options_record
class TrimOptions:
    """How far the surface may reach beyond the points, in units of their local spacing."""

    max_spacings: Annotated[float, Field(gt=0, le=1000)] = 4.0
    """How far from the points the surface may be."""
    max_sparsity: Annotated[float, Field(gt=0, le=1000)] = 3.0
    """Spacing counts as at most this many times the usual one, both as the nearest camera sees them: where
    points are scarcer, nothing supports a long reach."""
    max_edge_spacings: Annotated[float, Field(gt=0, le=10_000)] = 16.0
    """No edge is longer than this: long ones span what no point supports."""
    neighbours: Annotated[int, Field(ge=1, le=1000)] = 8
    """Spacing is the distance to the n-th nearest point."""
    smoothing: Annotated[int, Field(ge=0, le=1000)] = 6
    """Rounds of averaging over neighbouring vertices before the cut, which make its line smooth."""
    max_hole_fraction: Fraction = 0.005
    """Holes up to this fraction of the surface's area stay filled."""
    min_component_fraction: Fraction = 0.02
    """Pieces smaller than this fraction of the largest go."""


@options_record
class ReliefOptions:
    """How one depth map becomes triangles."""

    max_step: Fraction = 0.05
    """Largest change of depth from pixel to pixel within one surface, relative."""
    tolerance: Fraction = 0.002
    """Mean distance of inverse depth from a plane that leaves out a vertex, relative."""
    coarsest_px: Annotated[int, Field(ge=1, le=1024)] = 32
    """Widest spacing of vertices."""
    min_component_fraction: Fraction = 0.001
    """Patches smaller than this fraction of the largest are crumbs."""
    max_texture_px: SidePx = 4096
    """Longest side of the photo that is the texture."""


@options_record
class ViewQualityOptions:
    """How it is judged what each photo sees of the surface."""

    max_side_px: SidePx = 800
    """Size at which visibility is tested."""
    depth_slack: Fraction = 0.002
    """A vertex this much (relative) behind the nearest surface still counts as seen."""
    depth_jump: Fraction = 0.03
    """Neighbouring pixels whose depths differ by more (relative) are on either side of an outline."""
    outline_margin: Fraction = 0.01
    """Within this fraction of the longer side from an outline a photo is trusted less: geometry errs."""
    border_margin: Fraction = 0.02
    """The same for the photo's border, where lenses are darkest and least sharp."""
    min_trust: Fraction = 0.02
    """Least trust in a pixel that sees the surface at all."""
    min_cosine: Annotated[float, Field(ge=0, le=0.99)] = 0.1
    """Surfaces seen at a flatter angle are not taken from that photo."""
    blur_px: Annotated[float, Field(gt=0, le=100)] = 2.0
    """Colours of vertices are taken from photos blurred this much: registration errs by about as much."""


@options_record
class BakeOptions:
    """How photos are blended into the texture."""

    coarse_fraction: Fraction = 0.008
    """Size of the coarse band's blur, as a fraction of the photo's longer side."""
    detail_power: Annotated[float, Field(ge=0, le=100)] = 8.0
    """Detail goes by weight to this power: the higher, the more the best photo has it alone."""
    coarse_power: Annotated[float, Field(ge=0, le=100)] = 2.0
    """The same for the coarse band."""
    min_weight: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """A photo that weighs less than this against the best takes no part."""
    depth_slack: Fraction = 0.004
    """A texel this much (relative) behind the nearest surface still counts as seen."""


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
    """Depth of the Poisson octree: each more doubles the detail."""
    max_faces: Annotated[int, Field(ge=100, le=50_000_000)] = 150_000
    """Most triangles of the finished mesh."""
    texture_px: TexturePx = 4096
    """Longest side of the texture, a power of two at most this large; 0 keeps vertex colours."""
    max_megabytes: Annotated[float, Field(ge=0.1, le=100_000)] = 25.0
    """Size of the finished file, kept by the texture's JPEG quality."""
    free_space: FreeSpaceOptions = FreeSpaceOptions()
    trim: TrimOptions = TrimOptions()
    relief: ReliefOptions = ReliefOptions()
    view_quality: ViewQualityOptions = ViewQualityOptions()
    bake: BakeOptions = BakeOptions()
