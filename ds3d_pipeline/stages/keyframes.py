"""The card of the stage `keyframes`."""

from __future__ import annotations

from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.report import KeyframesReport
from ds3d_pipeline.programs.rungs import Load, Rung
from ds3d_pipeline.stages.stage import Stage, worker_threads


def _memory_mb(load: Load, _options: KeyframesOptions) -> float:
    """Photos are read at full size, one a thread; a video keeps the frames of a stretch of motion."""
    return 90 + load.megapixels() * (165 if load.is_video else 15 * worker_threads())


CARD = Stage(
    name="keyframes",
    label="Keyframes",
    about="The sharpest frame of every stretch of motion, upright and scaled to the mode's size.",
    options=KeyframesOptions,
    report=KeyframesReport,
    code_version="2",
    reads=("capture",),
    rungs=(
        Rung(
            name="local",
            module="ds3d_pipeline.keyframes",
            label="frame selection",
            summary="sharpest frame per motion window",
            memory_mb=_memory_mb,
        ),
    ),
    kinds=("opencv",),
)
