"""The drawings of the page as separate SVG pictures, for places without its style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ds3d_pipeline.report.camera_path import CameraPath
from ds3d_pipeline.report.curve import Curve

_PAPER, _INK, _SOFT, _LINE, _ACCENT = "#ffffff", "#16191d", "#8a94a1", "#dfe3e8", "#0a66c2"


def svg_of_path(path: CameraPath) -> str:
    """The cameras from above, blue first, red last."""
    wedges = [
        f'<path d="{camera.wedge}" fill="hsl({camera.hue},75%,55%)" fill-opacity="0.5" '
        f'stroke="hsl({camera.hue},75%,45%)"/>'
        for camera in path.cameras
    ]
    dots = f'<path d="{path.points}" stroke="{_SOFT}" stroke-width="2.4" stroke-linecap="round"/>'
    track = f'<path d="{path.track}" stroke="{_INK}" stroke-width="1.6" fill="none" opacity="0.5"/>'
    ends = [_text(path.start_xy[0] + 10, path.start_xy[1] - 8, "first", anchor="start")]
    if len(path.cameras) > 1:
        ends.append(_text(path.end_xy[0] + 10, path.end_xy[1] - 8, "last", anchor="start"))
    return _svg(path.size_wh, [dots, track, *wedges, *ends])


def svg_of_curve(curve: Curve) -> str:
    """PSNR on held-out photos over training time."""
    width, height = curve.size_wh
    grid = [f'<path d="M70 {tick.at}H{width - 24}" stroke="{_LINE}"/>' for tick in curve.rows]
    rows = [_text(62, tick.at + 5, tick.label, anchor="end") for tick in curve.rows]
    columns = [_text(tick.at, height - 14, tick.label, anchor="middle") for tick in curve.columns]
    line = f'<path d="{curve.line}" stroke="{_ACCENT}" stroke-width="3" fill="none"/>'
    return _svg(curve.size_wh, [*grid, *rows, *columns, line])


def _text(x: float, y: float, text: str, *, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'


def _svg(size_wh: tuple[int, int], parts: Sequence[str]) -> str:
    width, height = size_wh
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="15">'
    )
    return "".join([opening, f'<rect width="{width}" height="{height}" fill="{_PAPER}"/>', *parts, "</svg>"])
