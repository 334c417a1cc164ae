"""What a person sees of a bundle in the UI: numbers, small pictures, and how it came about."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from upath import UPath

from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.formats.images import read_thumbnail, small_jpeg
from ds3d_pipeline.report.camera_path import draw_path
from ds3d_pipeline.report.curve import Curve, draw_curve
from ds3d_pipeline.report.drawings import svg_of_curve, svg_of_path
from ds3d_pipeline.splats.report import SplatReport
from ds3d_pipeline.storage.bundles import Attempt, Bundle
from ds3d_pipeline.storage.manifest import list_files

MAX_THUMBNAIL_BYTES = 36_000
"""Of a picture in the instance database; base64 makes it a third longer, still under 50 kB."""
MAX_THUMBNAIL_PX = 1000
MOST_HELDOUT = 2
MOST_CAMERAS, MOST_POINTS = 120, 900
"""Of the camera path, to keep its drawing as small."""
MOST_TEXT = 200
_KINDS = {".jpg": "jpeg", ".png": "png"}


def describe(bundle: Bundle) -> dict[str, Any]:
    """Metadata of a materialisation: backend, attempts, the program's numbers, pictures under 50 kB."""
    report = bundle.report
    return {
        "backend": report.backend,
        "attempts": attempts_table(report.attempts),
        "seconds": round(report.seconds, 2),
        "peak_memory_mb": round(report.peak_memory_mb, 1),
        **_numbers(report.result),
        **_drawings(bundle),
        **_pictures(bundle),
    }


def attempts_table(attempts: Sequence[Attempt]) -> dg.TableMetadataValue:
    """What was tried, a row an attempt."""
    rows = [dg.TableRecord(_row(attempt)) for attempt in attempts]
    columns = {"backend": "string", "outcome": "string", "reason": "string", "seconds": "float"}
    schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns.items()])
    return dg.MetadataValue.table(rows, schema)


def reasons_table(reasons: Sequence[str]) -> dg.TableMetadataValue:
    """What is missing or in doubt, a row a reason, the most important first."""
    schema = dg.TableSchema([dg.TableColumn("reason", "string")])
    return dg.MetadataValue.table([dg.TableRecord({"reason": reason}) for reason in reasons], schema)


def _row(attempt: Attempt) -> dict[str, str | float]:
    seconds = round(attempt.seconds, 2)
    outcome = str(attempt.outcome)
    return {"backend": attempt.backend, "outcome": outcome, "reason": attempt.reason, "seconds": seconds}


def _numbers(result: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in result.items():
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{prefix}{key}_")
        elif isinstance(value, (int, float, str)):
            found[f"{prefix}{key}"] = _shown(value)
    return found


def _shown(value: float | str) -> float | str:
    """Four digits that count, and no more text than a table's cell shows."""
    if isinstance(value, str):
        return value if len(value) <= MOST_TEXT else value[: MOST_TEXT - 1] + "…"
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _drawings(bundle: Bundle) -> dict[str, Any]:
    """The camera path of poses, the training curve of a splat."""
    found: dict[str, Any] = {}
    if (bundle.folder / "sparse").is_dir() and not bundle.report.faults:
        model = read_reconstruction(bundle.folder / "sparse")
        shown = [view.image for view in model.views][:: -(-len(model.views) // MOST_CAMERAS)]
        path = draw_path(model, {image: image for image in shown}, most_points=MOST_POINTS)
        if path is not None:
            found["camera_path_from_above"] = _inline(svg_of_path(path).encode(), "svg+xml")
    curve = _training_curve(bundle)
    if curve is not None:
        found["training_curve"] = _inline(svg_of_curve(curve).encode(), "svg+xml")
    return found


def _training_curve(bundle: Bundle) -> Curve | None:
    if bundle.report.stage != "splat":
        return None
    return draw_curve(bundle.report.read(SplatReport).curve)


def _pictures(bundle: Bundle) -> dict[str, Any]:
    """A thumbnail of every picture; its name never takes a number's place."""
    return {
        "_".join([*path.relative_to(bundle.folder).with_suffix("").parts, "picture"]): _inline(
            *_thumbnail(path)
        )
        for path in _paths(bundle.folder)
    }


def link_files(bundle: Bundle, published_at: UPath) -> dict[str, dg.MetadataValue]:
    """Where the files are once the bundle is published at `published_at`."""
    shown = [path.relative_to(bundle.folder).as_posix() for path in _paths(bundle.folder)]
    names = [name for name, _ in list_files(bundle.folder) if "/" not in name]
    return {name: dg.MetadataValue.path(str(published_at / name)) for name in [*names, *shown]}


def _paths(folder: Path) -> Iterator[Path]:
    """The files in the bundle itself, and some held-out photos beside their renders."""
    yield from (path for path in sorted(folder.iterdir()) if path.suffix in _KINDS)
    heldout = sorted((folder / "heldout").glob("*.jpg"))
    yield from heldout[:: max(1, -(-len(heldout) // MOST_HELDOUT))]


def _thumbnail(path: Path) -> tuple[bytes, str]:
    """The picture itself where it is small, else a smaller JPEG of it."""
    if path.stat().st_size <= MAX_THUMBNAIL_BYTES:
        return path.read_bytes(), _KINDS[path.suffix]
    small = read_thumbnail(path, (MAX_THUMBNAIL_PX, MAX_THUMBNAIL_PX))
    return small_jpeg(small, MAX_THUMBNAIL_BYTES), "jpeg"


def _inline(data: bytes, kind: str) -> dg.MetadataValue:
    return dg.MetadataValue.md(f"![picture](data:image/{kind};base64,{base64.b64encode(data).decode()})")
