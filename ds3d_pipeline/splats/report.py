"""What the splat stage reports."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record
from ds3d_pipeline.programs.words import count, plural


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
    max_seconds: float | None = None
    """The limit of training time that was asked for."""
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


def describe_training(splat: SplatReport) -> str:
    """How long a splat was trained, why that ended, and what more would bring."""
    if not splat.iterations:
        return "Untrained: one Gaussian per point."
    steps, planned = plural(splat.iterations, "step"), splat.planned_iterations
    if planned and planned > splat.iterations:
        steps = f"{count(splat.iterations)} of {plural(planned, 'step')}"
    match splat.stopped:
        case "seconds":
            return f"Trained for {steps}, stopped by the {_limit(splat)}.{_more(splat)}"
        case "stalled":
            return f"Trained for {steps}: the score no longer rose."
        case _:
            return f"Trained for {steps}."


def _limit(splat: SplatReport) -> str:
    seconds = splat.max_seconds or splat.training_seconds or 0.0
    return f"{seconds / 60:.0f}-minute limit" if seconds >= 90 else f"{seconds:.0f}-second limit"


def _more(splat: SplatReport) -> str:
    """What the other steps need, and whether the score still rose; empty where nothing is known."""
    if not (splat.planned_iterations and splat.training_seconds and splat.iterations):
        return ""
    needed = splat.training_seconds * splat.planned_iterations / splat.iterations
    minutes = max(round(1.1 * needed / 60), 1)
    remedy = f"`--set splat.max_seconds={60 * minutes}`"
    return f"{_rise(splat)} All steps would take about {minutes} min: {remedy}."


def _rise(splat: SplatReport) -> str:
    """What the last quarter of training brought, by the score on held-out photos."""
    late = [point.psnr_db for point in splat.curve if point.done >= 0.74 and point.psnr_db is not None]
    gain = late[-1] - late[0] if len(late) > 1 else 0.0
    return f" Its last quarter brought {gain:.1f} dB." if gain >= 0.05 else ""
