"""Scores held-out photos during training: to end it when they no longer improve, and to show its progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.options import EarlyStoppingOptions
from ds3d_pipeline.splats.report import CurvePoint
from ds3d_pipeline.splats.training.photos import Photo
from ds3d_pipeline.splats.training.scores import score
from ds3d_pipeline.splats.training.trainer import Trainer

_MOST_PHOTOS = 4


@dataclass(kw_only=True)
class EarlyStopping:
    """A hook of `train` that scores a few held-out photos each `options.every` of the training.

    Ends it if, from `begin` on, `patience` consecutive scores are not `min_gain_db` above the best before
    them. That choice depends on held-out photos, so `result.json` records when it was made.
    """

    photos: Sequence[Photo]
    degree: int
    stop: bool = True
    options: EarlyStoppingOptions = EarlyStoppingOptions()
    show: Callable[[float, Float32], None] = lambda done, rows: None
    """Called after each evaluation with the fraction done and the rows as they would be published."""
    curve: list[CurvePoint] = field(default_factory=list)
    _next: float = 0.0

    def __post_init__(self) -> None:
        self._next = self.options.every

    def __call__(self, trainer: Trainer) -> bool:
        """Whether training should end."""
        done = min(trainer.clock.done, 1.0)
        if done < self._next:
            return False
        self._next = self.options.every * (round(done / self.options.every - 0.5 + 1e-6) + 1)
        rows = trainer.shown_rows()
        chosen = self.photos[:: max(1, -(-len(self.photos) // _MOST_PHOTOS))]
        self.curve.append(
            CurvePoint(
                done=done,
                seconds=trainer.clock.seconds,
                iteration=trainer.clock.iteration,
                gaussians=len(rows),
                psnr_db=score(rows, chosen, self.degree).psnr_db if chosen else None,
            )
        )
        self.show(done, rows)
        return self.stop and self._stalls()

    def _stalls(self) -> bool:
        begin, patience = self.options.begin, self.options.patience
        late = [p.psnr_db for p in self.curve if p.done >= begin and p.psnr_db is not None]
        if len(late) <= patience:
            return False
        return max(late[-patience:]) < max(late[:-patience]) + self.options.min_gain_db
