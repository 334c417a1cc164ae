"""What metrics.json says of a capture, and its status with reasons."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.scene import Capture, Keyframes
from ds3d_pipeline.stages.table import missed_gates
from ds3d_pipeline.storage.bundles import Attempt, Bundle, StageReport
from ds3d_pipeline.storage.ownership import MARKER

SCHEMA_VERSION = 1


_PACKAGES = ("ds3d-pipeline", "dagster", "pycolmap", "numpy", "numba", "opencv-python-headless", "av")


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the bundles themselves do not know."""

    capture: str
    mode: str
    failures: tuple[tuple[str, tuple[Attempt, ...]], ...] = ()
    """Stages that failed, with what was tried."""


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

    schema = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
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
        if path.is_file() and path.name != MARKER
    }


def _describe_file(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {n: importlib.metadata.version(n) for n in _PACKAGES}
