"""The page: what a finished capture's metrics, bundles and pictures say, put into the template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.report.advice import Advice, Facts, advise, frame_name
from ds3d_pipeline.report.camera_path import CameraPath, draw_path, measure_path
from ds3d_pipeline.report.curve import draw_curve
from ds3d_pipeline.report.numbers import Number, list_numbers
from ds3d_pipeline.report.pictures import PLACES, Picture, collect_pictures
from ds3d_pipeline.report.words import clipped, count, duration, plural, size
from ds3d_pipeline.storage.bundles import Bundle

_FILE_NOTES = {
    "model.glb": "Mesh. Opens in Blender, Windows 3D Viewer and any glTF viewer.",
    "model.splat.ply": "Gaussian splat. Opens in SuperSplat, Brush and nerfstudio.",
    "model.splat.ply.gz": "The same splat, compressed without loss.",
    "model.spz": "The same splat, compressed for the web.",
    "model.splat.glb": "The same splat as glTF, with KHR_gaussian_splatting.",
    "pointcloud.ply": "Coloured points with normals. Opens in CloudCompare and MeshLab.",
    "sparse/": "Cameras and sparse points in COLMAP's binary format.",
    "images/": "The undistorted pictures that sparse/ refers to.",
    "failed/": "What a later run that failed has to say.",
    "metrics.json": "Every number of this page, for programs.",
}
_HEADLINES = {
    "ok": "Your capture came out well.",
    "degraded": "Your capture is usable, with reservations.",
    "failed": "Your capture could not be finished.",
}


@dataclass(frozen=True, kw_only=True)
class FileRow:
    name: str
    size: str
    note: str


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """`state` is done, failed or not reached; `share` its percentage of the time of all stages."""

    name: str
    state: str
    backend: str
    seconds: str
    share: float
    memory: str


@dataclass(frozen=True, kw_only=True)
class AttemptRow:
    stage: str
    backend: str
    outcome: str
    reason: str
    instead: str


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture with its caption."""

    picture: Picture
    caption: str


def write_report(path: Path, told: Mapping[str, Any], bundles: Mapping[str, Bundle]) -> None:
    """Writes the page about the metrics `told` and the `bundles`, by stage, of a capture.

    Every text of it is escaped: names of files come from the user. It loads nothing from anywhere.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("template.html").render(describe_page(told, bundles))
    path.write_text(page, encoding="utf-8", errors="replace")


def describe_page(told: Mapping[str, Any], bundles: Mapping[str, Bundle]) -> dict[str, Any]:
    """All that the template shows."""
    results = {stage: bundle.report.result for stage, bundle in bundles.items()}
    model = read_reconstruction(bundles["poses"].folder / "sparse") if "poses" in bundles else None
    names = {frame["image"]: frame_name(frame) for frame in told["keyframes"]}
    pictures = collect_pictures({stage: bundle.folder for stage, bundle in bundles.items()})
    advice: list[Advice] = advise(
        Facts(told=told, results=results, path=measure_path(model) if model else None)
    )
    path: CameraPath | None = draw_path(model, names) if model else None
    numbers: list[Number] = list_numbers(told)
    return {
        "told": told,
        "headline": _HEADLINES[told["status"]],
        "summary": summarise(told),
        "reasons": [clipped(reason) for reason in told["reasons"]],
        "numbers": numbers,
        "figures": _figures(pictures, told),
        "path": path,
        "path_caption": _path_caption(path, told) if path else "",
        "curve": draw_curve(told["splat"].get("curve") or ()),
        "advice": advice,
        "files": list_file_rows(told["files"]),
        "stages": list_stage_rows(told["stages"]),
        "attempts": list_attempt_rows(told["stages"]),
        "total": duration(told["total_seconds"]),
        "peak": _memory(max((s["peak_memory_mb"] for s in told["stages"].values()), default=0.0)),
        "input": _describe_input(told),
        "scale": describe_scale(told["scale"]),
    }


def summarise(told: Mapping[str, Any]) -> str:
    """What came out, in one sentence."""
    made = []
    if told["mesh"]:
        made.append(f"a mesh of {count(told['mesh']['faces'])} triangles")
    if told["splat"]:
        trained = "a trained" if told["splat"].get("iterations") else "an untrained"
        made.append(f"{trained} splat of {count(told['splat']['gaussians'])} Gaussians")
    if told["pointcloud"].get("points"):
        made.append(f"{count(told['pointcloud']['points'])} points")
    if told["status"] == "failed":
        stopped = [stage for stage, entry in told["stages"].items() if entry["backend"] is None]
        where = f"It stopped at the stage {stopped[0]}" if stopped else "It stopped before the end"
        left = f"; what is left is {_joined(made)}" if made else ", before there was any model"
        return f"{where} after {duration(told['total_seconds'])}{left}."
    poses = told["poses"]
    placed = f"{poses['registered']} of {poses['total']} frames became " if poses else "Made: "
    return f"{placed}{_joined(made)}, in {duration(told['total_seconds'])}."


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def list_file_rows(files: Mapping[str, Mapping[str, Any]]) -> list[FileRow]:
    """Files one by one, folders as one row each; `metrics.json` has no size, for it comes last."""
    folders: dict[str, list[int]] = {}
    for name, entry in files.items():
        head, slash, _ = name.partition("/")
        folders.setdefault(head + slash, []).append(entry["bytes"])
    order = list(_FILE_NOTES)
    rows = [
        FileRow(name=name, size=_sizes(name, sizes), note=_FILE_NOTES.get(name, ""))
        for name, sizes in sorted(folders.items(), key=lambda item: _rank(order, item[0]))
    ]
    return [*rows, FileRow(name="metrics.json", size="", note=_FILE_NOTES["metrics.json"])]


def _rank(order: list[str], name: str) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order)), name


def _sizes(name: str, sizes: Sequence[int]) -> str:
    total = size(sum(sizes))
    return f"{plural(len(sizes), 'file')}, {total}" if name.endswith("/") else total


def list_stage_rows(stages: Mapping[str, Mapping[str, Any]]) -> list[StageRow]:
    """Every stage in order, those too that were never reached."""
    known = [stage for stage in STAGES if stage != "metrics" or stage in stages]
    longest = max([entry["seconds"] for entry in stages.values()] + [1e-9])
    return [_stage_row(stage, stages.get(stage), longest) for stage in known]


def _stage_row(stage: str, entry: Mapping[str, Any] | None, longest: float) -> StageRow:
    if entry is None:
        return StageRow(name=stage, state="not reached", backend="", seconds="", share=0.0, memory="")
    return StageRow(
        name=stage,
        state="failed" if entry["backend"] is None else "done",
        backend=entry["backend"] or "",
        seconds=duration(entry["seconds"]),
        share=round(100 * entry["seconds"] / longest, 1),
        memory=_memory(entry["peak_memory_mb"]),
    )


def list_attempt_rows(stages: Mapping[str, Mapping[str, Any]]) -> list[AttemptRow]:
    """Every attempt that did not give the result, and what was used instead."""
    return [
        AttemptRow(
            stage=stage,
            backend=attempt["backend"],
            outcome=attempt["outcome"],
            reason=clipped(attempt["reason"]),
            instead=entry["backend"] or "nothing",
        )
        for stage, entry in stages.items()
        for attempt in entry["attempts"]
        if attempt["outcome"] != "ok"
    ]


def _memory(megabytes: float) -> str:
    return size(megabytes * 1e6) if megabytes else ""


def _figures(pictures: Iterable[Picture], told: Mapping[str, Any]) -> dict[str, list[Figure]]:
    figures: dict[str, list[Figure]] = {place.group: [] for place in PLACES}
    for picture in pictures:
        figures[picture.group].append(Figure(picture=picture, caption=_caption(picture, told)))
    return figures


def _caption(picture: Picture, told: Mapping[str, Any]) -> str:
    """For a held-out view the user's own name of the photo, for a look at training how far it was."""
    if picture.group == "training" and picture.stem.isdecimal():
        return f"After {int(picture.stem) / 10:.0f}% of the training."
    held = (told["splat"].get("heldout") or {}).get("images", ())
    if picture.group != "heldout" or picture.number >= len(held):
        return ""
    frames = {frame["image"]: frame for frame in told["keyframes"]}
    frame = frames.get(held[picture.number])
    if frame is None:
        return str(held[picture.number])
    return f"{frame_name(frame)} into the video" if frame["timestamp_s"] is not None else frame_name(frame)


def _path_caption(path: CameraPath, told: Mapping[str, Any]) -> str:
    missing = len(told["keyframes"]) - len(path.cameras)
    lost = f" {plural(missing, 'frame')} could not be placed; the line is broken there." if missing else ""
    shown = f"{plural(len(path.cameras), 'camera')} from above, blue first, red last"
    return f"{shown}; each wedge opens to where it looks.{lost}"


def describe_scale(scale: str | Mapping[str, Any]) -> str:
    """The unit of all lengths, and where it is from."""
    return scale if isinstance(scale, str) else f"1 unit is 1 {scale['unit']}, from {scale['from']}"


def _describe_input(told: Mapping[str, Any]) -> str:
    upload = told["input"]
    if not upload:
        return "unknown"
    width, height = upload["size"]
    if upload["kind"] == "video":
        frames = f" of {plural(upload['frames'], 'frame')}" if upload["frames"] else ""
        return f"one video{frames}, {width} × {height} px"
    return f"{plural(upload['frames'], 'photo')}, {width} × {height} px"
