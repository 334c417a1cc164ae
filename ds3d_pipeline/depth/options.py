"""The options of the depth stage, and of the algorithms in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ds3d_pipeline.programs.options import Allowed, Fraction, Seed, SidePx, options_record


@options_record
class SkyOptions:
    """What is taken for sky: an area without texture that holds no surface."""

    min_known: Fraction = 0.5
    """An area without texture is a surface where this fraction of it has depth, matched or guessed."""
    min_matched: Fraction = 0.25
    """Or where this fraction is matched: guesses span a sky between roofs, but only seams of it match."""
    same_grey: Fraction = 0.04
    """Grey values in [0, 1] this near to an empty area's, beside it, belong to it."""


@options_record
class PlanarPriorOptions:
    """Which planes are believed where there is nothing to match."""

    max_depth_ratio: Annotated[float, Field(ge=1, le=100)] = 1.1
    """Largest ratio of the depths of a triangle's corners; more is a step, not a slope."""
    max_edge: Fraction = 0.2
    """Longest edge of a triangle, as a fraction of the map's diagonal."""
    max_extra_cost: Annotated[float, Field(ge=0, le=2)] = 0.2
    """How much worse than the best match found a plane may fit the photos."""


@options_record
class ConsistencyOptions:
    """What counts as agreement between views, and what is kept."""

    max_round_trip_px: Annotated[float, Field(ge=0, le=100)] = 2.0
    """How far a pixel may land from itself when it is projected into another view and back."""
    max_depth_change: Fraction = 0.01
    """Relative difference in depth that still agrees."""
    min_agreeing: Annotated[int, Field(ge=1, le=100)] = 2
    """Other views that must agree; one is enough where a view has only one source."""
    max_cost: Annotated[float, Field(ge=0, le=2)] = 0.9
    """Pixels of a higher matching cost are not kept."""
    sure_cost: Annotated[float, Field(ge=0, le=2)] = 0.2
    """Pixels of at most this cost need one agreeing view only."""
    uncertain_cost: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Pixels of at most this cost stay in the map even where too few views agree, as uncertain."""
    planar_prior_confidence: Fraction = 0.2
    """Confidence of depths that stand in for areas without texture."""
    max_speckle: Fraction = 2e-4
    """Islands smaller than this fraction of the map's pixels go."""
    island_step: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Relative depth step between neighbouring pixels that separates islands."""
    sky: SkyOptions = SkyOptions()
    planar_prior: PlanarPriorOptions = PlanarPriorOptions()


@options_record
class RefinementOptions:
    """How the relative disparity of a learned model is cleaned."""

    low_quantile: Annotated[float, Field(ge=0, lt=0.5)] = 0.02
    """Disparity below this quantile is clipped."""
    high_quantile: Annotated[float, Field(gt=0.5, le=1)] = 0.98
    """Disparity above this quantile is clipped."""
    filter_radius: Annotated[float, Field(ge=0, le=0.1)] = 0.006
    """Radius of the bilateral filter, as a fraction of the image diagonal."""
    filter_step: Annotated[float, Field(gt=0, le=1)] = 0.04
    """Deviation in disparity within which pixels are one surface to the filter."""
    photo_step: Annotated[float, Field(gt=0, le=1)] = 0.2
    """The same of the photo's brightness in [0, 1]: wide, so that texture is not copied into depth."""
    flying_step: Fraction = 0.05
    """Relative change of depth over three pixels that no surface makes."""
    half_ramp: Fraction = 0.015
    """Half of the widest ramp of a depth edge, as a fraction of the image diagonal."""


@options_record
class CorrectionOptions:
    """How fine the correction is that bends an estimate to what is measured around it."""

    cells: Annotated[int, Field(ge=1, le=1000)] = 24
    """Cells of the correction along the longer side of the picture."""
    levels: Annotated[int, Field(ge=2, le=100)] = 8
    """Levels of depth of the correction."""
    max_deviations: Annotated[float, Field(ge=0, le=1000)] = 3.0
    """Measurements further than this from the estimate, in deviations of their core, do not count."""
    always: Fraction = 0.005
    """Measurements within this relative distance always count."""
    min_agreeing: Fraction = 0.5
    """Fraction of the measurements nearby that must count, or else the error is unknown."""


@options_record
class EstimateOptions:
    """What is a hole, what the estimate is fitted to, and where it is believed."""

    sure_confidence: Fraction = 0.5
    """Stereo at least this sure is what the estimate is fitted to."""
    hole_confidence: Fraction = 0.1
    """Less than this is a hole, as is unknown depth."""
    max_error: Fraction = 0.007
    """Mean relative error that the fitted estimate may have at the measured depths around."""
    refinement: RefinementOptions = RefinementOptions(low_quantile=0.0, high_quantile=1.0)
    # The fit bounds what is far out; quantiles would flatten what is nearest and furthest.
    correction: CorrectionOptions = CorrectionOptions()


@options_record
class HoleOptions:
    """Which estimates stay in the holes of stereo."""

    rounds: Annotated[int, Field(ge=0, le=100)] = 2
    """How often every estimate becomes the median of what all views say of its place."""
    same_surface: Fraction = 0.05
    """Relative difference in depth up to which another view speaks of the same surface."""
    agree: Fraction = 0.01
    """Relative difference in depth within which two views agree."""
    behind: Fraction = 0.02
    """Sure stereo of another view this much (relative) behind an estimate looked through it."""
    min_agreeing: Annotated[int, Field(ge=1, le=100)] = 2
    """Other views that must agree; one is enough where a view has only one source."""
    estimate: EstimateOptions = EstimateOptions()


Sha256 = Annotated[
    str, Field(pattern=r"^([0-9A-Fa-f]{64})?$"), Allowed("the 64 hexadecimal digits of a SHA-256, or nothing")
]


@options_record
class DepthOptions:
    """Dense depth maps."""

    max_side_px: SidePx = 768
    """Longer side of a depth map."""
    source_views: Annotated[int, Field(ge=1, le=100)] = 6
    """Neighbouring views that each map is matched with."""
    seed: Seed = 0
    """Seed of all random choices."""
    model: str = ""
    """ONNX depth model: a file, or `owner/repository@revision:file` on Hugging Face; empty takes Depth
    Anything V2 Small."""
    model_sha256: Sha256 = ""
    """What the model's file must hash to; empty checks only the default model."""
    model_gives_depth: bool = False
    """Whether larger numbers of the model's output are further away; in disparity they are nearer."""
    model_side_px: SidePx = 518
    """Shorter side of the model's picture where the model takes any size."""
    model_multiple_px: Annotated[int, Field(ge=1, le=1024)] = 14
    """Sides of the model's picture are multiples of this."""
    model_colors: Literal["imagenet", "symmetric", "unit"] = "imagenet"
    """How the model wants colours: `imagenet`, `symmetric` (-1 to 1) or `unit` (0 to 1)."""
    fetch_model: bool = False
    """Whether a run may fetch a missing model from the network."""
    fill_holes: bool = False
    """Whether holes of stereo get the model's estimate where it fits what is measured around. Off: it takes
    the model's time for every view, and a model that errs by a few percent fills next to nothing."""
    consistency: ConsistencyOptions = ConsistencyOptions()
    refinement: RefinementOptions = RefinementOptions()
    holes: HoleOptions = HoleOptions()
