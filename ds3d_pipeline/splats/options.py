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
    """What holds instead where there are few training photos: harmonics that join early explain noise then.

    Measured on fox, thinned to 43, 21 and 11 photos, and on fountain-P11.
    """

    below: Annotated[int, Field(ge=0, le=10_000)] = 16
    """Fewer training photos than this are few."""
    sh_from: Fraction = 0.3
    """As in the recipe."""
    sh_every: Annotated[float, Field(gt=0, le=1)] = 0.1
    """As in the recipe."""
    rest_rate: Rate = 5e-4
    """As in the recipe."""


@options_record
class Recipe:
    """How training goes; the values were chosen by measurement, see `benchmarks/splats.py`."""

    dssim_weight: Fraction = 0.2
    """Weight of D-SSIM in the loss; the rest is the absolute difference."""
    mean_rate_px: Annotated[float, Field(ge=0, le=100)] = 0.6
    """First step of a mean, in pixels of the training size at the typical depth."""
    mean_rate_last: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Last step of a mean as a fraction of the first; the decay between is exponential."""
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
    """Fraction to which the rates other than the means' fall over the last part of training."""
    late_from: Annotated[float, Field(ge=0, lt=1)] = 0.6
    """Fraction of the training from which they fall."""
    shrinks: Shrinks = ((0.0, 4.0), (0.12, 2.0), (0.35, 1.0))
    """From which fraction of the training on photos are shrunk by how much."""
    densify_from: Annotated[float, Field(ge=0, lt=0.5)] = 0.03
    """Fraction of the training from which on Gaussians are added."""
    densify_until: Annotated[float, Field(ge=0.5, le=1)] = 0.6
    """Fraction of the training up to which Gaussians are added."""
    densify_times: Annotated[int, Field(ge=0, le=1000)] = 24
    """How often Gaussians are added; 0 adds none."""
    sh_from: Fraction = 0.12
    """Fraction of the training at which harmonics of degree 1 join."""
    sh_every: Annotated[float, Field(gt=0, le=1)] = 0.06
    """Each further degree joins so much later."""
    dead_opacity: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Gaussians of less opacity are replaced."""
    opacity_reg: Annotated[float, Field(ge=0, le=100)] = 3e-3
    """Weight of the mean opacity in the loss."""
    scale_reg: Annotated[float, Field(ge=0, le=100)] = 1e-2
    """Weight of the mean scale, in typical depths' pixels over 100, in the loss."""
    max_scale: Annotated[float, Field(gt=0, le=100)] = 0.3
    """Largest standard deviation of a Gaussian, as a fraction of its distance to the nearest camera."""
    start_opacity: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Opacity with which Gaussians begin."""
    random_background: bool = True
    """Draws every step on another colour, so that what all photos show must become opaque."""
    exposure_rate: Rate = 2e-3
    """First step of a photo's log gain."""
    few_photos: FewPhotosOptions = FewPhotosOptions()


@options_record
class EarlyStoppingOptions:
    """When the score on held-out photos counts as rising no more."""

    begin: Fraction = 0.7
    """Fraction of the training before which it never ends early."""
    every: Annotated[float, Field(ge=0.001, le=1)] = 0.05
    """Fraction of the training between two scores."""
    patience: Annotated[int, Field(ge=1, le=1000)] = 3
    """Scores in a row that must bring no gain."""
    min_gain_db: Annotated[float, Field(ge=0, le=100)] = 0.01
    """Gain over the best score before that counts as one."""


@options_record
class SplatOptions:
    """The Gaussian splat."""

    train: bool = True
    """Whether to train; without it only the light splat is made."""
    max_gaussians: Annotated[int, Field(ge=1, le=50_000_000)] = 200_000
    """Most Gaussians."""
    max_side_px: SidePx = 960
    """Longer side of the training images."""
    iterations: Annotated[int, Field(ge=1, le=10_000_000)] = 3000
    """Training steps."""
    max_seconds: Seconds = 180.0
    """Training stops after this long; the schedule adapts to it."""
    sh_degree: Annotated[int, Field(ge=0, le=3)] = 3
    """Degree of the view-dependent colour at most; few photos get less."""
    holdout_every: Annotated[int, Field(ge=2, le=10_000)] = 8
    """Every n-th registered keyframe is held out for the score."""
    exposure: bool = True
    """Gives every training photo a gain per channel, for phones that change exposure while they film."""
    mip_filter: bool = False
    """Keeps Gaussians from being finer than any photo shows, for views from far away."""
    early_stop: bool = True
    """Ends training when the score on held-out photos rises no more."""
    join_heldout: bool = False
    """Trains a little more on all photos after scoring; the published splat is then not the scored one."""
    checkpoint_s: Annotated[float, Field(ge=0, le=1e6)] = 30.0
    """Seconds between checkpoints, from which the same program goes on after a break."""
    seed: Seed = 0
    """Seed of all random choices."""
    recipe: Recipe = Recipe()
    early_stopping: EarlyStoppingOptions = EarlyStoppingOptions()
