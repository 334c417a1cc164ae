"""What a finished capture consists of: the files, `metrics.json`, and the honest word about them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3d_pipeline.bundles import Attempt, Bundle, StageReport, file_sha256
from ds3d_pipeline.gates import missed_gates
from ds3d_pipeline.records import read_json, write_json
from ds3d_pipeline.report.page import write_report
from ds3d_pipeline.scene import Capture, Keyframes

SCHEMA_VERSION = 1
FILES: tuple[tuple[str, str, str], ...] = (
    ("mesh", "model.glb", "model.glb"),
    ("splat", "splat.ply", "model.splat.ply"),
    ("splat", "splat.ply.gz", "model.splat.ply.gz"),
    ("splat", "splat.spz", "model.spz"),
    ("splat", "splat.glb", "model.splat.glb"),
    ("pointcloud", "pointcloud.ply", "pointcloud.ply"),
    ("poses", "sparse", "sparse"),
    ("poses", "images", "images"),
)
"""Stage, name in its bundle, name in the finished folder."""
_PACKAGES = ("ds3d-pipeline", "dagster", "pycolmap", "numpy", "numba", "opencv-python-headless", "av")


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the bundles themselves do not know."""

    capture: str
    mode: str
    failures: tuple[tuple[str, tuple[Attempt, ...]], ...] = ()
    """Stages that failed, with what was tried."""


def publish_capture(story: Story, bundles: dict[str, Bundle], output: Path) -> dict[str, Any]:
    """Puts the finished folder at `output`/<capture> in one step and returns its metrics.

    `bundles` by stage; a stage that did not finish is left out and told in `story.failures`.
    """
    output.mkdir(parents=True, exist_ok=True)
    _tidy_after_kill(output / story.capture)
    return _publish(story, bundles, output / story.capture)


def publish_failure(story: Story, bundles: dict[str, Bundle], output: Path) -> tuple[dict[str, Any], Path]:
    """Publishes what a failed run did finish, and returns its metrics and where they stand.

    Finished files of an earlier run are worth more: they stay, and the failure is told in `failed/` there.
    """
    folder = output / story.capture
    output.mkdir(parents=True, exist_ok=True)
    _tidy_after_kill(folder)
    earlier = folder / "metrics.json"
    if earlier.exists() and read_json(earlier, dict[str, Any])["status"] != "failed":
        folder = folder / "failed"
    return _publish(story, bundles, folder), folder


def _publish(story: Story, bundles: dict[str, Bundle], folder: Path) -> dict[str, Any]:
    staged = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        staged.mkdir()
        _copy_files(bundles, staged)
        told = build_metrics(story, bundles, staged)
        write_report(staged / "report.html", told, bundles)
        told["files"]["report.html"] = _describe_file(staged / "report.html")
        write_json(staged / "metrics.json", told)
        _swap(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return told


def _tidy_after_kill(folder: Path) -> None:
    """After a killed publication: its half is dropped, and the folder it moved aside returns."""
    for earlier in folder.parent.glob(f".{folder.name}.????????.old"):
        if folder.exists():
            shutil.rmtree(earlier, ignore_errors=True)
        else:
            os.rename(earlier, folder)
    for half in folder.parent.glob(f".{folder.name}.????????.part"):
        shutil.rmtree(half, ignore_errors=True)


def _copy_files(bundles: dict[str, Bundle], folder: Path) -> None:
    for stage, source, target in FILES:
        if stage not in bundles:
            continue
        path = bundles[stage].folder / source
        if path.is_dir():
            shutil.copytree(path, folder / target)
        elif path.exists():
            shutil.copyfile(path, folder / target)


def _swap(staged: Path, target: Path) -> None:
    """Two renames: the earlier folder is gone only when the new one stands."""
    earlier = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
    if target.exists():
        os.rename(target, earlier)
    os.rename(staged, target)
    shutil.rmtree(earlier, ignore_errors=True)


def build_metrics(story: Story, bundles: dict[str, Bundle], folder: Path) -> dict[str, Any]:
    """The content of `metrics.json` for the files in `folder`, checked against the schema."""
    reports = {stage: bundle.report for stage, bundle in bundles.items()}
    results = {stage: report.result for stage, report in reports.items()}
    reasons = find_reasons(story, reports)
    stages = {stage: _told(report.attempts, report) for stage, report in reports.items()}
    stages |= {stage: _told(attempts) for stage, attempts in story.failures}
    told: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "capture": story.capture,
        "mode": story.mode,
        "status": "failed" if story.failures else "degraded" if reasons else "ok",
        "reasons": reasons,
        "seed": int(results.get("poses", {}).get("seed", 0)),
        "versions": _versions(),
        "stages": stages,
        "poses": results.get("poses", {}),
        "depth": results.get("depth_maps", {}),
        "pointcloud": results.get("pointcloud", {}),
        "mesh": results.get("mesh", {}),
        "splat": results.get("splat", {}),
        "scale": results.get("poses", {}).get("scale", "arbitrary"),
        "files": _list_files(folder),
        "total_seconds": round(sum(entry["seconds"] for entry in stages.values()), 3),
        **_frames(bundles),
    }
    check_metrics(told)
    return told


def check_metrics(told: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError where metrics do not keep the schema."""
    import jsonschema

    schema = json.loads(Path(__file__).with_name("metrics.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(json.dumps(told)), schema)


def find_reasons(story: Story, reports: dict[str, StageReport]) -> list[str]:
    """Why a capture is not `ok`, one sentence each."""
    found = [f"{stage} failed: {attempts[-1].reason}" for stage, attempts in story.failures if attempts]
    for stage, report in reports.items():
        found += [a.reason for a in report.attempts if a.outcome == "clamped"]
        lost = [a for a in report.attempts if a.outcome in ("failed", "crashed")]
        found += [f"{stage} fell back from {a.backend} to {report.backend}: {a.reason}" for a in lost]
        if report.shortfall:
            missed = [a for a in report.attempts if a.outcome == "passed over"]
            found += [f"{stage} could not use {a.backend}: {a.reason}" for a in missed]
            found.append(report.shortfall)
        found += missed_gates(report)
    return found + _diagnosis(reports)


def _diagnosis(reports: dict[str, StageReport]) -> list[str]:
    """What the capture suffers from."""
    found = reports["poses"].result.get("diagnosis") if "poses" in reports else None
    return [f"{found['cause']} {found['remedy']}"] if found else []


def _told(attempts: tuple[Attempt, ...], report: StageReport | None = None) -> dict[str, Any]:
    tried = [
        {"backend": a.backend, "outcome": a.outcome, "reason": a.reason, "seconds": round(a.seconds, 3)}
        for a in attempts
    ]
    return {
        "backend": report.backend if report else None,
        "attempts": tried,
        "seconds": round(sum(a.seconds for a in attempts), 3),
        "peak_memory_mb": round(report.peak_memory_mb, 1) if report else 0.0,
    }


def _frames(bundles: dict[str, Bundle]) -> dict[str, Any]:
    told: dict[str, Any] = {"input": None, "keyframes": []}
    if "capture" in bundles:
        capture = read_json(bundles["capture"].folder / "capture.json", Capture)
        told["input"] = {
            "kind": capture.kind,
            "sha256": capture.sha256,
            "frames": capture.video.frames if capture.video else len(capture.sources),
            "size": list(capture.sources[0].size_wh),
        }
    if "keyframes" in bundles:
        keyframes = read_json(bundles["keyframes"].folder / "keyframes.json", Keyframes)
        told["keyframes"] = [
            {"image": f.image, "source": f.source, "timestamp_s": f.timestamp_s, "sharpness": f.sharpness}
            for f in keyframes.frames
        ]
    return told


def _list_files(folder: Path) -> dict[str, Any]:
    return {
        path.relative_to(folder).as_posix(): _describe_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _describe_file(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {n: importlib.metadata.version(n) for n in _PACKAGES}
