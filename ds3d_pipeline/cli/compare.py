"""`ds3d compare`: the numbers of two finished captures side by side, such as one capture in two modes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from ds3d_pipeline.cli.output import console
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.metrics.record import Metrics, load_metrics
from ds3d_pipeline.programs.words import count, duration, size
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.published import published_folders
from ds3d_pipeline.viewer.finished import find_finished


def compare(first: str, second: str, output: Path) -> None:
    """Prints a row a number. Raises InputError where one of the two is no finished capture."""
    places = [_place(name, output) for name in (first, second)]
    metrics = [load_metrics(place / "metrics.json") for place in places]
    table = Table(box=None, pad_edge=False)
    for heading in ("", first, second):
        table.add_column(heading)
    for label, number in _ROWS.items():
        table.add_row(label, *(number(one) for one in metrics))
    screen = console()
    screen.print(table)
    for place in places:
        screen.print(f"pictures: {place / 'report.html'}")


def _place(name: str, output: Path) -> Path:
    """A folder that is given, a capture below `output`, or else wherever the home published it."""
    with contextlib.suppress(InputError):
        return find_finished(name, output)
    found = published_folders(prepare_home(), name) if "/" not in name else []
    return found[0] if found else Path(name)


def _known(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _aligned(metrics: Metrics) -> str:
    poses = metrics.poses
    return f"{poses.registered} of {poses.total}" if poses else ""


def _error(metrics: Metrics) -> str:
    return _known(metrics.poses.mean_reprojection_error_px if metrics.poses else None, "{:.2f} px")


def _points(metrics: Metrics) -> str:
    return count(metrics.pointcloud.points) if metrics.pointcloud else ""


def _faces(metrics: Metrics) -> str:
    return count(metrics.mesh.faces) if metrics.mesh else ""


def _texture(metrics: Metrics) -> str:
    side = metrics.mesh.texture_size if metrics.mesh else None
    return f"{side} px" if side else "vertex colours" if metrics.mesh else ""


def _gaussians(metrics: Metrics) -> str:
    return count(metrics.splat.gaussians) if metrics.splat else ""


def _psnr(metrics: Metrics) -> str:
    held = metrics.splat.heldout if metrics.splat else None
    return f"{held.psnr_db:.1f} dB" if held else ""


_ROWS: dict[str, Callable[[Metrics], str]] = {
    "mode": lambda metrics: str(metrics.mode),
    "status": lambda metrics: str(metrics.status),
    "time": lambda metrics: duration(metrics.total_seconds),
    "aligned keyframes": _aligned,
    "reprojection error": _error,
    "measured depth": lambda metrics: _known(metrics.depth.measured if metrics.depth else None, "{:.0%}"),
    "points": _points,
    "triangles": _faces,
    "texture": _texture,
    "Gaussians": _gaussians,
    "held-out PSNR": _psnr,
    "files": lambda metrics: size(sum(entry.bytes for entry in metrics.files.values())),
}
