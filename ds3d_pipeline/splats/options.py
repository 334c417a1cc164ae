"""The options of the splat stage, and of the training in it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from ds3d_pipeline.programs.options import Allowed, Fraction, Seconds, Seed, SidePx, checked, options_record

Rate = Annotated[float, Field(ge=0, le=10)]
"""A learning rate."""
Steps: TypeAlias = tuple[tuple[float, float], ...]


def _why_no_steps(steps: Steps) -> str | None:
    starts = [start for start, _ in steps]
    if not starts or starts[0] != 0 or starts != sorted(starts) or starts[-1] > 1:
        return "the starts do not rise from 0"
    whole = all(1 <= times <= 64 and times == int(times) for _, times in steps)
    return None if whole else "the times are not whole numbers from 1 to 64"


Shrinks = Annotated[
    Steps,
    AfterValidator(checked(_why_no_steps)),
    Allowed("[[start, times], ...], starts rising from 0 to at most 1, times whole numbers from 1 to 64"),
]


@options_record
class FewPhotosOptions:
    """Overrides for few training photos, with which early spherical harmonics would fit noise.

    Measured on fox, thinned to 43, 21 and 11 photos, and on fountain-P11.
    """

    below: Annotated[int, Field(ge=0, le=10_000)] = 16
    """Used with fewer training photos than this."""
    sh_from: Fraction = 0.3
    """As in the recipe."""
    sh_every: Annotated[float, Field(gt=0, le=1)] = 0.1
    """As in the recipe."""
    rest_rate: Rate = 5e-4
    """As in the recipe."""


@options_record
class Recipe:
    """The training schedule; the values were chosen by measurement, see `benchmarks/splats.py`."""

    dssim_weight: Fraction = 0.2
    """Weight of D-SSIM in the loss; the rest is the L1 loss."""
    mean_rate_px: Annotated[float, Field(ge=0, le=100)] = 0.6
    """Initial learning rate of the means, in pixels of the training size at the typical depth."""
    mean_rate_last: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Final learning rate of the means as a fraction of the initial one; the decay is exponential."""
    quat_rate: Rate = 3e-3
    """Learning rate of the rotations."""
    scale_rate: Rate = 4e-2
    """Learning rate of the log scales."""
    opacity_rate: Rate = 6e-2
    """Learning rate of the opacity logits."""
    dc_rate: Rate = 5e-3
    """Learning rate of the constant colour."""
    rest_rate: Rate = 1e-3
    """Learning rate of the view-dependent colour."""
    late_decay: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Factor to which the other learning rates decay over the last part of training."""
    late_from: Annotated[float, Field(ge=0, lt=1)] = 0.6
    """Fraction of the training at which this decay begins."""
    shrinks: Shrinks = ((0.0, 4.0), (0.12, 2.0), (0.35, 1.0))
    """Downscaling of the photos, as pairs of a fraction of the training and a factor."""
    densify_from: Annotated[float, Field(ge=0, lt=0.5)] = 0.03
    """Fraction of the training at which densification begins."""
    densify_until: Annotated[float, Field(ge=0.5, le=1)] = 0.6
    """Fraction of the training at which densification ends."""
    densify_times: Annotated[int, Field(ge=0, le=1000)] = 24
    """Number of densification steps; 0: none."""
    sh_from: Fraction = 0.12
    """Fraction of the training at which spherical harmonics of degree 1 are enabled."""
    sh_every: Annotated[float, Field(gt=0, le=1)] = 0.06
    """Fraction of the training between two further degrees."""
    dead_opacity: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Gaussians with less opacity are replaced."""
    opacity_reg: Annotated[float, Field(ge=0, le=100)] = 3e-3
    """Weight of the mean opacity in the loss."""
    scale_reg: Annotated[float, Field(ge=0, le=100)] = 1e-2
    """Weight of the mean scale (in units of 100 pixels at the typical depth) in the loss."""
    max_scale: Annotated[float, Field(gt=0, le=100)] = 0.3
    """Maximum standard deviation of a Gaussian, as a fraction of its distance to the nearest camera."""
    start_opacity: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Initial opacity of the Gaussians."""
    random_background: bool = True
    """Renders each step on a random background colour, so that surfaces become opaque."""
    exposure_rate: Rate = 2e-3
    """Initial learning rate of the photos' log gain."""
    few_photos: FewPhotosOptions = FewPhotosOptions()


@options_record
class EarlyStoppingOptions:
    """When training ends because the score on held-out photos no longer rises."""

    begin: Fraction = 0.7
    """Fraction of the training before which it never ends early."""
    every: Annotated[float, Field(ge=0.001, le=1)] = 0.05
    """Fraction of the training between two evaluations."""
    patience: Annotated[int, Field(ge=1, le=1000)] = 3
    """Consecutive evaluations without gain before training ends."""
    min_gain_db: Annotated[float, Field(ge=0, le=100)] = 0.01
    """Minimum gain over the best score so far."""


@options_record
class SplatOptions:
    """The Gaussian splat."""

    train: bool = True
    """Whether to train; if not, the splat has one Gaussian per point."""
    max_gaussians: Annotated[int, Field(ge=1, le=50_000_000)] = 200_000
    """Maximum number of Gaussians."""
    max_side_px: SidePx = 960
    """Longer side of the training images."""
    iterations: Annotated[int, Field(ge=1, le=10_000_000)] = 3000
    """Number of training steps."""
    max_seconds: Seconds = 900.0
    """Maximum training time in seconds, for slow machines; the schedule adapts to it."""
    sh_degree: Annotated[int, Field(ge=0, le=3)] = 3
    """Maximum spherical-harmonics degree of the view-dependent colour; lower with few photos."""
    holdout_every: Annotated[int, Field(ge=2, le=10_000)] = 8
    """Every n-th aligned keyframe is held out of training, for the score."""
    exposure: bool = True
    """Estimates a gain per channel for every training photo, because phones change exposure while filming."""
    mip_filter: bool = False
    """Limits how fine Gaussians get, for views from further away (mip filter)."""
    early_stop: bool = True
    """Ends training when the score on held-out photos no longer rises."""
    join_heldout: bool = False
    """Trains a little more on all photos after the evaluation; the published splat then has no own score."""
    checkpoint_s: Annotated[float, Field(ge=0, le=1e6)] = 30.0
    """Seconds between checkpoints, from which an interrupted training resumes."""
    seed: Seed = 0
    """Random seed."""
    recipe: Recipe = Recipe()
    early_stopping: EarlyStoppingOptions = EarlyStoppingOptions()
