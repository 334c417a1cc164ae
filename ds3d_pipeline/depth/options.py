"""The options of the depth stage, and of the algorithms in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ds3d_pipeline.programs.options import Allowed, Fraction, Place, Seed, SidePx, options_record


@options_record
class SkyOptions:
    """Detection of sky: areas without texture that contain no surface."""

    min_known: Fraction = 0.5
    """An area without texture is a surface if this fraction of it has depth, matched or guessed."""
    min_matched: Fraction = 0.25
    """Or if this fraction is matched: guesses span a sky between roofs, but only its edges match."""
    same_grey: Fraction = 0.04
    """Adjacent pixels whose grey value differs from an empty area's by at most this (0 to 1) belong to it."""


@options_record
class PlanarPriorOptions:
    """When planes are used for areas without texture."""

    max_depth_ratio: Annotated[float, Field(ge=1, le=100)] = 1.1
    """Maximum ratio between the depths of a triangle's corners; more is a step, not a slope."""
    max_edge: Fraction = 0.2
    """Maximum edge of a triangle, as a fraction of the map's diagonal."""
    max_extra_cost: Annotated[float, Field(ge=0, le=2)] = 0.2
    """How much worse than the best match a plane may fit the photos."""


@options_record
class ConsistencyOptions:
    """When views agree, and which depths are kept."""

    max_round_trip_px: Annotated[float, Field(ge=0, le=100)] = 2.0
    """Maximum distance of a pixel from itself after projection into another view and back."""
    max_depth_change: Fraction = 0.01
    """Maximum relative difference in depth."""
    min_agreeing: Annotated[int, Field(ge=1, le=100)] = 2
    """Other views that must agree; one is enough for a view with only one neighbour."""
    max_cost: Annotated[float, Field(ge=0, le=2)] = 0.9
    """Pixels with a higher matching cost are removed."""
    sure_cost: Annotated[float, Field(ge=0, le=2)] = 0.2
    """Pixels with at most this cost need only one agreeing view."""
    uncertain_cost: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Pixels with at most this cost are kept as uncertain if too few views agree."""
    planar_prior_confidence: Fraction = 0.2
    """Confidence of depths that were filled into areas without texture."""
    max_speckle: Fraction = 2e-4
    """Islands smaller than this fraction of the map's pixels are removed."""
    island_step: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Relative depth step between neighbouring pixels that separates islands."""
    sky: SkyOptions = SkyOptions()
    planar_prior: PlanarPriorOptions = PlanarPriorOptions()


@options_record
class RefinementOptions:
    """Cleaning of the relative disparity from a learned model."""

    low_quantile: Annotated[float, Field(ge=0, lt=0.5)] = 0.02
    """Disparity below this quantile is clipped."""
    high_quantile: Annotated[float, Field(gt=0.5, le=1)] = 0.98
    """Disparity above this quantile is clipped."""
    filter_radius: Annotated[float, Field(ge=0, le=0.1)] = 0.006
    """Radius of the bilateral filter, as a fraction of the image diagonal."""
    filter_step: Annotated[float, Field(gt=0, le=1)] = 0.04
    """Difference in disparity up to which the filter treats pixels as one surface."""
    photo_step: Annotated[float, Field(gt=0, le=1)] = 0.2
    """The same for the photo's brightness in [0, 1]; wide, so that texture is not copied into depth."""
    flying_step: Fraction = 0.05
    """Relative change of depth over three pixels above which a pixel is removed."""
    half_ramp: Fraction = 0.015
    """Half of the maximum width of a depth edge, as a fraction of the image diagonal."""


@options_record
class CorrectionOptions:
    """Resolution of the correction that adapts an estimate to the measured depth around it."""

    cells: Annotated[int, Field(ge=1, le=1000)] = 24
    """Cells of the correction along the longer side of the image."""
    levels: Annotated[int, Field(ge=2, le=100)] = 8
    """Depth levels of the correction."""
    max_deviations: Annotated[float, Field(ge=0, le=1000)] = 3.0
    """Measurements further than this from the estimate, in robust standard deviations, are ignored."""
    always: Fraction = 0.005
    """Measurements within this relative distance are always used."""
    min_agreeing: Fraction = 0.5
    """Fraction of the nearby measurements that must be used; with fewer the error is unknown."""


@options_record
class EstimateOptions:
    """What counts as a hole, and where an estimate is accepted."""

    sure_confidence: Fraction = 0.5
    """The estimate is fitted to stereo depth with at least this confidence."""
    hole_confidence: Fraction = 0.1
    """Depth with less confidence counts as a hole, like unknown depth."""
    max_error: Fraction = 0.007
    """Maximum mean relative error of the fitted estimate at the measured depths around it."""
    refinement: RefinementOptions = RefinementOptions(low_quantile=0.0, high_quantile=1.0)
    # The fit bounds what is far out; quantiles would flatten what is nearest and furthest.
    correction: CorrectionOptions = CorrectionOptions()


@options_record
class HoleOptions:
    """Which estimates are kept in the holes of stereo."""

    rounds: Annotated[int, Field(ge=0, le=100)] = 2
    """Rounds in which every estimate is replaced by the median over all views."""
    same_surface: Fraction = 0.05
    """Relative difference in depth up to which another view sees the same surface."""
    agree: Fraction = 0.01
    """Relative difference in depth up to which two views agree."""
    behind: Fraction = 0.02
    """An estimate is contradicted by another view's confident stereo depth this much (relative) behind it."""
    min_agreeing: Annotated[int, Field(ge=1, le=100)] = 2
    """Other views that must agree; one is enough for a view with only one neighbour."""
    estimate: EstimateOptions = EstimateOptions()


Sha256 = Annotated[
    str, Field(pattern=r"^([0-9A-Fa-f]{64})?$"), Allowed("the 64 hexadecimal digits of a SHA-256, or nothing")
]


@options_record
class DepthOptions:
    """Dense depth maps."""

    max_side_px: SidePx = 768
    """Longer side of the depth maps."""
    source_views: Annotated[int, Field(ge=1, le=100)] = 6
    """Number of neighbouring views that each view is matched with."""
    seed: Seed = 0
    """Random seed."""
    model: Annotated[str, Place()] = ""
    """ONNX depth model: a file, or `owner/repository@revision:file` on Hugging Face; empty: Depth Anything V2
    Small."""
    model_sha256: Sha256 = ""
    """SHA-256 of the model's file; empty: only the default model is checked."""
    model_gives_depth: bool = False
    """True if the model outputs depth (larger is further away), false if it outputs disparity."""
    model_side_px: SidePx = 518
    """Shorter side of the model's input, if the model accepts any size."""
    model_multiple_px: Annotated[int, Field(ge=1, le=1024)] = 14
    """The sides of the model's input are multiples of this."""
    model_colors: Literal["imagenet", "symmetric", "unit"] = "imagenet"
    """Colour normalisation of the model: `imagenet`, `symmetric` (-1 to 1) or `unit` (0 to 1)."""
    fetch_model: bool = False
    """Whether a run may download a missing model."""
    fill_holes: bool = False
    """Whether to fill holes of stereo with the model's estimate where it fits the depth around them. Off by
    default: it is slow, and a model with a few percent of error fills next to nothing."""
    consistency: ConsistencyOptions = ConsistencyOptions()
    refinement: RefinementOptions = RefinementOptions()
    holes: HoleOptions = HoleOptions()
