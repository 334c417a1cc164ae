"""Sharpness over a capture, with the chosen frames marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ds3d_pipeline.scene import Keyframes


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The keyframes, what to plot over `x_label`, and further numbers for the result."""

    keyframes: Keyframes
    plot: tuple[PlotPoint, ...]
    x_label: str
    numbers: dict[str, float] = field(default_factory=dict)


_SIZE_WH = (960, 300)
_LEFT, _TOP, _RIGHT, _BOTTOM = 62, 34, 18, 44
_OVERSAMPLING = 2
_PAPER, _GRID, _INK = (255, 255, 255), (228, 231, 235), (70, 76, 84)
_LINE, _CHOSEN, _DROPPED = (150, 160, 172), (8, 118, 200), (212, 68, 52)


@dataclass(frozen=True, kw_only=True)
class PlotPoint:
    """One frame: `x` its time in seconds or its number."""

    x: float
    sharpness: float
    chosen: bool = False
    dropped: bool = False


class _Axes:
    """Data to pixels of the oversampled picture."""

    def __init__(self, points: Sequence[PlotPoint]) -> None:
        xs, ys = [point.x for point in points], [point.sharpness for point in points]
        self.x0, self.x1 = min(xs), max(max(xs), min(xs) + 1e-6)
        self.y1 = max(max(ys) * 1.08, 1e-6)

    def at(self, x: float, y: float) -> tuple[float, float]:
        width, height = _SIZE_WH[0] - _LEFT - _RIGHT, _SIZE_WH[1] - _TOP - _BOTTOM
        px = _LEFT + (x - self.x0) / (self.x1 - self.x0) * width
        py = _TOP + (1 - y / self.y1) * height
        return px * _OVERSAMPLING, py * _OVERSAMPLING


def write_sharpness_plot(path: Path, points: Sequence[PlotPoint], *, x_label: str) -> None:
    """PNG of 960 x 300 pixels; `points` in order of `x`, at least one."""
    size = _SIZE_WH[0] * _OVERSAMPLING, _SIZE_WH[1] * _OVERSAMPLING
    image = Image.new("RGB", size, _PAPER)
    draw, axes = ImageDraw.Draw(image), _Axes(points)
    _draw_grid(draw, axes, x_label)
    usable = [axes.at(point.x, point.sharpness) for point in points if not point.dropped]
    if len(usable) > 1:
        draw.line(usable, _LINE, width=2, joint="curve")
    for point in points:
        if point.dropped:
            x, y = axes.at(point.x, 0)
            draw.line([(x, y - 14), (x, y)], _DROPPED, width=2)
        elif point.chosen:
            x, y = axes.at(point.x, point.sharpness)
            draw.ellipse([x - 6, y - 6, x + 6, y + 6], _CHOSEN)
    _draw_legend(draw, points)
    image = image.resize(_SIZE_WH, Image.Resampling.LANCZOS)
    image.quantize(palette=_palette(), dither=Image.Dither.NONE).save(path, "PNG", optimize=True)


def _palette() -> Image.Image:
    """Every colour in 32 steps to paper: a palette found from the picture would lose the few red ticks."""
    levels = [number / 31 for number in range(32)]
    colours = (_GRID, _INK, _LINE, _CHOSEN, _DROPPED)
    mixed = [
        round(c + (p - c) * level)
        for colour in colours
        for level in levels
        for c, p in zip(colour, _PAPER, strict=True)
    ]
    palette = Image.new("P", (1, 1))
    palette.putpalette(mixed)
    return palette


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) between `low` and `high`."""
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size * _OVERSAMPLING)


def _draw_grid(draw: ImageDraw.ImageDraw, axes: _Axes, x_label: str) -> None:
    font = _font(12)
    for y in ticks(0, axes.y1, 4):
        left, right = axes.at(axes.x0, y), axes.at(axes.x1, y)
        draw.line([left, right], _GRID, width=2)
        draw.text((left[0] - 16, left[1]), f"{y:.3g}", _INK, font, anchor="rm")
    for x in ticks(axes.x0, axes.x1, 8):
        px, py = axes.at(x, 0)
        draw.line([(px, py), (px, py + 8)], _INK, width=2)
        draw.text((px, py + 12), f"{x:.4g}", _INK, font, anchor="ma")
    bottom = (_SIZE_WH[1] - 4) * _OVERSAMPLING
    draw.line([axes.at(axes.x0, 0), axes.at(axes.x1, 0)], _INK, width=2)
    draw.text(((_SIZE_WH[0] - _RIGHT) * _OVERSAMPLING, bottom), x_label, _INK, font, anchor="rd")


def _draw_legend(draw: ImageDraw.ImageDraw, points: Sequence[PlotPoint]) -> None:
    chosen, dropped = sum(p.chosen for p in points), sum(p.dropped for p in points)
    entries = [("Sharpness", _INK), (f"{chosen} chosen of {len(points)} (dots)", _CHOSEN)]
    if dropped:
        entries.append((f"{dropped} dropped (ticks)", _DROPPED))
    x, font = float(_LEFT * _OVERSAMPLING), _font(13)
    for text, colour in entries:
        draw.text((x, 10 * _OVERSAMPLING), text, colour, font)
        x += draw.textlength(text, font) + 28 * _OVERSAMPLING
