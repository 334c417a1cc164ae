"""What choosing from a video or from photos gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from ds3d_pipeline.keyframes.sharpness_plot import PlotPoint
from ds3d_pipeline.scene import Keyframes


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The keyframes, what to plot over `x_label`, and further numbers for the result."""

    keyframes: Keyframes
    plot: tuple[PlotPoint, ...]
    x_label: str
    numbers: dict[str, float] = field(default_factory=dict)
