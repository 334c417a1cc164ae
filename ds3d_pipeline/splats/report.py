"""What the splat stage reports."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record


@report_record
class Scores:
    """Means over photos; an empty set has no score."""

    images: tuple[str, ...]
    psnr_db: float
    """Peak signal-to-noise ratio."""
    ssim: float
    """Structural similarity, 1 for identical pictures."""


@report_record
class CurvePoint:
    """One evaluation during training."""

    done: float
    """Fraction of the training, from 0 to 1."""
    seconds: float
    iteration: int
    gaussians: int
    psnr_db: float | None = None
    """On held-out photos; None without any."""


@report_record
class FinalTuning:
    """The final training on all photos, after the score; zeros if there was none."""

    photos: int = 0
    iterations: int = 0


@report_record
class SplatReport:
    """The splat."""

    gaussians: int
    iterations: int
    """Training steps; 0 for an untrained splat."""
    planned_iterations: int | None = None
    """Training steps that were asked for."""
    initialised_from: str | None = None
    """The points that it was initialised from: dense or sparse."""
    sh_degree: int | None = None
    """Degree of the view-dependent colour."""
    initial_gaussians: int | None = None
    heldout: Scores | None = None
    """On held-out photos; None if there are none."""
    initial_heldout: Scores | None = None
    """The same of the untrained splat."""
    final_tuning: FinalTuning | None = None
    train_psnr_db: float | None = None
    """Mean over the last epoch of training photos, each with its own exposure."""
    stopped: str | None = None
    """Why training ended: iterations, seconds or stalled."""
    training_seconds: float | None = None
    compile_seconds: float | None = None
    """Of the kernels, once per machine."""
    seconds_per_iteration: float | None = None
    threads: int | None = None
    resumed_at: int | None = None
    """Iteration of the checkpoint that training resumed from; 0 without one."""
    curve: tuple[CurvePoint, ...] = ()
    removed: dict[str, int] | None = None
    """Gaussians that were pruned after training, counted by reason."""
