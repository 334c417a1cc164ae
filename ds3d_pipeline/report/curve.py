"""The training curve as the numbers of a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ds3d_pipeline.keyframes.sharpness_plot import ticks
from ds3d_pipeline.programs.words import duration
from ds3d_pipeline.splats.report import CurvePoint

SIZE_WH = (960, 300)
_LEFT, _TOP, _RIGHT, _BOTTOM = 70.0, 20.0, 24.0, 44.0


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A grid line at `at` pixels with its label."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Likeness to held-out photos over the time of training."""

    size_wh: tuple[int, int]
    line: str
    """One SVG path."""
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]


def draw_curve(looks: Sequence[CurvePoint]) -> Curve | None:
    """The drawing of `seconds` and `psnr_db` of every look; None for fewer than two."""
    seen = [(look.seconds, look.psnr_db) for look in looks if look.psnr_db is not None]
    if len(seen) < 2:
        return None
    last = max(seconds for seconds, _ in seen)
    low, high = min(value for _, value in seen), max(value for _, value in seen)
    low, high = low - 0.1 * (high - low) - 0.1, high + 0.1 * (high - low) + 0.1
    width, height = SIZE_WH[0] - _LEFT - _RIGHT, SIZE_WH[1] - _TOP - _BOTTOM

    def at(seconds: float, value: float) -> tuple[float, float]:
        x = _LEFT + width * seconds / max(last, 1e-9)
        return round(x, 1), round(_TOP + height * (high - value) / (high - low), 1)

    line = "L".join("{} {}".format(*at(seconds, value)) for seconds, value in seen)
    return Curve(
        size_wh=SIZE_WH,
        line=f"M{line}",
        rows=tuple(Tick(at=at(0, value)[1], label=f"{value:g} dB") for value in ticks(low, high, 4)),
        columns=tuple(Tick(at=at(s, low)[0], label=duration(s)) for s in ticks(0, last, 5) if s > 0),
    )
