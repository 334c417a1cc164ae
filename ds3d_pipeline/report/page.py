"""The page: a finished capture's metrics, bundles and pictures, put into the template."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.keyframes.report import KeyframesReport
from ds3d_pipeline.metrics.record import FileFacts, InputFacts, Metrics, StageFacts, Status
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.poses.report import SceneScale
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.words import clipped, duration, plural, size
from ds3d_pipeline.report.advice import Advice, Facts, advise, frame_name
from ds3d_pipeline.report.camera_path import CameraPath, draw_path, measure_path
from ds3d_pipeline.report.curve import draw_curve
from ds3d_pipeline.report.numbers import Number, list_numbers
from ds3d_pipeline.report.pictures import PLACES, Picture, collect_pictures
from ds3d_pipeline.report.templates import page_environment
from ds3d_pipeline.stages.table import backend_label, products, stage_label
from ds3d_pipeline.storage.bundles import Bundle

if TYPE_CHECKING:
    from markupsafe import Markup

_HEADLINES = {
    "ok": "Your capture came out well.",
    "degraded": "Usable, with limitations.",
    "failed": "The reconstruction failed.",
}
_NO_3D = "No 3D could be made."


@dataclass(frozen=True, kw_only=True)
class FileRow:
    name: str
    size: str
    note: str


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """`state` is done, failed or not reached; `percent` is of the time of the longest stage."""

    name: str
    code_name: str
    state: str
    backend: str
    seconds: str
    percent: float
    memory: str


@dataclass(frozen=True, kw_only=True)
class AttemptRow:
    stage: str
    backend: str
    outcome: str
    reason: str
    used: str
    """The backend that made the result; empty if none did."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture with its caption."""

    picture: Picture
    caption: str


def _with_code(text: str) -> Markup:
    """What is between backticks as code; the rest as it is, escaped."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def write_report(
    path: Path, metrics: Metrics, bundles: Mapping[str, Bundle], *, has_view: bool = False
) -> None:
    """Writes the page about the metrics and the `bundles`, by stage, of a capture.

    It links to `view.html` beside it where it `has_view`. All text is escaped, because file names come from
    the user. It loads nothing from anywhere.
    """
    environment = page_environment()
    environment.filters["with_code"] = _with_code
    page = environment.get_template("template.html").render(
        {**describe_page(metrics, bundles), "has_view": has_view}
    )
    path.write_text(page, encoding="utf-8", errors="replace")


def describe_page(metrics: Metrics, bundles: Mapping[str, Bundle]) -> dict[str, Any]:
    """All that the template shows."""
    keyframes = bundles["keyframes"].report.read(KeyframesReport) if "keyframes" in bundles else None
    model = read_reconstruction(bundles["poses"].folder / "sparse") if "poses" in bundles else None
    names = {frame.image: frame_name(frame) for frame in metrics.keyframes}
    pictures = collect_pictures({stage: bundle.folder for stage, bundle in bundles.items()})
    advice: list[Advice] = advise(
        Facts(metrics=metrics, keyframes=keyframes, path=measure_path(model) if model else None)
    )
    path: CameraPath | None = draw_path(model, names) if model else None
    numbers: list[Number] = list_numbers(metrics)
    return {
        "metrics": metrics,
        "headline": headline(metrics),
        "summary": summarise(metrics),
        "reasons": [clipped(reason) for reason in metrics.reasons],
        "numbers": numbers,
        "figures": _figures(pictures, metrics),
        "path": path,
        "path_caption": _path_caption(path, metrics) if path else "",
        "curve": draw_curve(metrics.splat.curve if metrics.splat else ()),
        "advice": advice,
        "files": list_file_rows(metrics.files),
        "stages": list_stage_rows(metrics.stages),
        "tried": list_attempt_rows(metrics.stages, _TRIED),
        "unavailable": list_attempt_rows(metrics.stages, (Outcome.SKIPPED,)),
        "total": duration(metrics.total_seconds),
        "peak": _memory(max((s.peak_memory_mb for s in metrics.stages.values()), default=0.0)),
        "input": _describe_input(metrics.input),
        "scale": describe_scale(metrics.scale),
    }


def headline(metrics: Metrics) -> str:
    """How the capture came out, in a few words."""
    return _NO_3D if is_flat(metrics) else _HEADLINES[metrics.status]


def is_flat(metrics: Metrics) -> bool:
    """Whether all stages ended and there still is no depth."""
    stopped = any(entry.backend is None for entry in metrics.stages.values())
    return not stopped and metrics.depth is not None and bool(metrics.depth.flat)


def summarise(metrics: Metrics) -> str:
    """What came out, in one sentence."""
    made = list(_made(metrics))
    if is_flat(metrics):
        return f"After {duration(metrics.total_seconds)} there is only one photo on a flat rectangle."
    if metrics.status is Status.FAILED:
        stopped = [stage for stage, entry in metrics.stages.items() if entry.backend is None]
        where = f"The stage {stage_label(stopped[0])} failed" if stopped else "It stopped"
        left = f". Already made: {_joined(made)}" if made else ", before anything was made"
        return f"{where} after {duration(metrics.total_seconds)}{left}."
    poses = metrics.poses
    frames = f" from {poses.registered} of {plural(poses.total, 'keyframe')}" if poses else ""
    return f"Made{frames} in {duration(metrics.total_seconds)}: {_joined(made)}."


def _made(metrics: Metrics) -> Iterator[str]:
    if metrics.mesh:
        yield f"a mesh of {plural(metrics.mesh.faces, 'triangle')}"
    if metrics.splat:
        trained = "a trained" if metrics.splat.iterations else "an untrained"
        yield f"{trained} splat of {plural(metrics.splat.gaussians, 'Gaussian')}"
    if metrics.pointcloud and metrics.pointcloud.points:
        yield plural(metrics.pointcloud.points, "point")


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def list_file_rows(files: Mapping[str, FileFacts]) -> list[FileRow]:
    """Files one by one, folders as one row each; `metrics.json` has no size, for it comes last."""
    folders: dict[str, list[int]] = {}
    for name, entry in files.items():
        head, slash, _ = name.partition("/")
        folders.setdefault(head + slash, []).append(entry.bytes)
    notes = {product.name: product.about for _, product in products()}
    order = list(notes)
    rows = [
        FileRow(name=name, size=_sizes(name, sizes), note=notes.get(name, ""))
        for name, sizes in sorted(folders.items(), key=lambda item: _rank(order, item[0]))
    ]
    return [*rows, FileRow(name="metrics.json", size="", note=notes["metrics.json"])]


def _rank(order: list[str], name: str) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order)), name


def _sizes(name: str, sizes: Sequence[int]) -> str:
    total = size(sum(sizes))
    return f"{plural(len(sizes), 'file')}, {total}" if name.endswith("/") else total


def list_stage_rows(stages: Mapping[str, StageFacts]) -> list[StageRow]:
    """Every stage in order, including those that were never reached."""
    known = [stage for stage in STAGES if stage != "metrics" or stage in stages]
    longest = max([entry.seconds for entry in stages.values()] + [1e-9])
    return [_stage_row(stage, stages.get(stage), longest) for stage in known]


def _stage_row(stage: str, entry: StageFacts | None, longest: float) -> StageRow:
    if entry is None:
        return StageRow(
            name=stage_label(stage),
            code_name=stage,
            state="not reached",
            backend="",
            seconds="",
            percent=0.0,
            memory="",
        )
    return StageRow(
        name=stage_label(stage),
        code_name=stage,
        state="failed" if entry.backend is None else "done",
        backend=_capitalised(backend_label(stage, entry.backend)) if entry.backend else "",
        seconds=duration(entry.seconds),
        percent=round(100 * entry.seconds / longest, 1),
        memory=_memory(entry.peak_memory_mb),
    )


_TRIED = (Outcome.FAILED, Outcome.CRASHED, Outcome.INPUT, Outcome.CANCELLED, Outcome.CLAMPED)


def list_attempt_rows(stages: Mapping[str, StageFacts], outcomes: Collection[Outcome]) -> list[AttemptRow]:
    """The attempts with these outcomes, and what was used in the end."""
    return [
        AttemptRow(
            stage=stage_label(stage),
            backend=_capitalised(backend_label(stage, attempt.backend)),
            outcome=attempt.outcome,
            reason=clipped(attempt.reason),
            used=backend_label(stage, entry.backend) if entry.backend else "",
        )
        for stage, entry in stages.items()
        for attempt in entry.attempts
        if attempt.outcome in outcomes
    ]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _memory(megabytes: float) -> str:
    return size(megabytes * 1e6) if megabytes else ""


def _figures(pictures: Iterable[Picture], metrics: Metrics) -> dict[str, list[Figure]]:
    figures: dict[str, list[Figure]] = {place.group: [] for place in PLACES}
    for picture in pictures:
        figures[picture.group].append(Figure(picture=picture, caption=_caption(picture, metrics)))
    return figures


def _caption(picture: Picture, metrics: Metrics) -> str:
    """The user's own name of a held-out photo, or how far training was at a preview."""
    if picture.group == "training" and picture.stem.isdecimal():
        return f"After {int(picture.stem) / 10:.0f}% of training."
    held = metrics.splat.heldout.images if metrics.splat and metrics.splat.heldout else ()
    if picture.group != "heldout" or picture.number >= len(held):
        return ""
    frames = {frame.image: frame for frame in metrics.keyframes}
    frame = frames.get(held[picture.number])
    if frame is None:
        return held[picture.number]
    return f"{frame_name(frame)} into the video" if frame.timestamp_s is not None else frame_name(frame)


def _path_caption(path: CameraPath, metrics: Metrics) -> str:
    missing = len(metrics.keyframes) - len(path.cameras)
    lost = f" {plural(missing, 'keyframe')} could not be aligned (gaps in the line)." if missing else ""
    shown = f"{plural(len(path.cameras), 'camera')} from above, blue first, red last"
    return f"{shown}; each wedge opens in the viewing direction.{lost}"


def describe_scale(scale: SceneScale) -> str:
    """The unit of all lengths, and where it is from."""
    return scale if isinstance(scale, str) else f"1 unit = 1 {scale.unit} (from {scale.origin.upper()})"


def _describe_input(upload: InputFacts | None) -> str:
    if upload is None:
        return "unknown"
    width, height = upload.size
    if upload.kind == "video":
        frames = f" of {plural(upload.frames, 'frame')}" if upload.frames else ""
        return f"one video{frames}, {width} × {height} px"
    return f"{plural(upload.frames, 'photo')}, {width} × {height} px"
