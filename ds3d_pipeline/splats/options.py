"""The knobs of the splat stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SplatOptions:
    """The Gaussian splat."""

    train: bool = True
    """False makes the untrained light splat only."""
    max_gaussians: int = 200_000
    max_side_px: int = 960
    iterations: int = 3000
    max_seconds: float = 180.0
    """Training stops after this long; the schedule adapts to it."""
    sh_degree: int = 3
    """Degree of the view-dependent colour at most; few photos get less."""
    holdout_every: int = 8
    """Every n-th registered keyframe is held out for the score."""
    exposure: bool = True
    """Gives every training photo a gain per channel, for phones that change exposure while they film."""
    mip_filter: bool = False
    """Keeps Gaussians from being finer than any photo shows, for views from far away."""
    early_stop: bool = True
    """Ends training when the score on held-out photos rises no more."""
    join_heldout: bool = False
    """Trains a little more on all photos after scoring; the published splat is then not the scored one."""
    checkpoint_s: float = 30.0
    """Seconds between checkpoints, from which the same program goes on after a break."""
    seed: int = 0
