"""The content of metrics.json: a capture's numbers, and its status with reasons."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ds3d_pipeline.depth.report import DepthReport
from ds3d_pipeline.geometry.conventions import WORLD_FROM_GLTF
from ds3d_pipeline.mesh.report import MeshReport
from ds3d_pipeline.metrics.record import (
    AttemptFacts,
    FileFacts,
    FrameFacts,
    InputFacts,
    Metrics,
    StageFacts,
    Status,
)
from ds3d_pipeline.pointcloud.report import PointcloudReport
from ds3d_pipeline.poses.report import PosesReport
from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.publishing.reasons import find_reasons
from ds3d_pipeline.scene import Capture, Keyframes
from ds3d_pipeline.splats.report import SplatReport
from ds3d_pipeline.storage.bundles import Attempt, Bundle, StageReport
from ds3d_pipeline.storage.ownership import MARKER

T = TypeVar("T")
_PACKAGES = ("ds3d-pipeline", "dagster", "pycolmap", "numpy", "numba", "opencv-python-headless", "av")


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the bundles themselves do not contain."""

    capture: str
    mode: str
    failures: tuple[tuple[str, tuple[Attempt, ...]], ...] = ()
    """Stages that failed, with what was tried."""


def build_metrics(story: Story, bundles: dict[str, Bundle], folder: Path) -> Metrics:
    """The content of `metrics.json` for the files in `folder`."""
    reports = {stage: bundle.report for stage, bundle in bundles.items()}
    reasons = find_reasons(story.failures, reports)
    stages = {stage: _stage(report.attempts, report) for stage, report in reports.items()}
    stages |= {stage: _stage(attempts) for stage, attempts in story.failures}
    poses = _read(reports, "poses", PosesReport)
    return Metrics(
        schema_version=1,
        capture=story.capture,
        mode=story.mode,
        status=_status(story, _read(reports, "depth_maps", DepthReport), reasons),
        reasons=tuple(reasons),
        seed=poses.seed if poses else 0,
        versions=_versions(),
        stages=stages,
        poses=poses,
        depth=_read(reports, "depth_maps", DepthReport),
        pointcloud=_read(reports, "pointcloud", PointcloudReport),
        mesh=_read(reports, "mesh", MeshReport),
        splat=_read(reports, "splat", SplatReport),
        scale=poses.scale if poses else "arbitrary",
        world_from_gltf=tuple(map(tuple, WORLD_FROM_GLTF.tolist())),
        files=_list_files(folder),
        total_seconds=round(sum(entry.seconds for entry in stages.values()), 3),
        input=_input(bundles),
        keyframes=_frames(bundles),
    )


def _status(story: Story, depth: DepthReport | None, reasons: list[str]) -> Status:
    """Without depth there is no 3D, whatever files there are."""
    if story.failures or (depth is not None and depth.flat):
        return Status.FAILED
    return Status.DEGRADED if reasons else Status.OK


def _read(reports: dict[str, StageReport], stage: str, report_type: type[T]) -> T | None:
    return reports[stage].read(report_type) if stage in reports else None


def _stage(attempts: tuple[Attempt, ...], report: StageReport | None = None) -> StageFacts:
    return StageFacts(
        backend=report.backend if report else None,
        attempts=tuple(
            AttemptFacts(backend=a.backend, outcome=a.outcome, reason=a.reason, seconds=round(a.seconds, 3))
            for a in attempts
        ),
        seconds=round(sum(a.seconds for a in attempts), 3),
        compile_seconds=round(sum(a.compile_seconds for a in attempts), 3),
        peak_memory_mb=round(report.peak_memory_mb, 1) if report else 0.0,
    )


def _input(bundles: dict[str, Bundle]) -> InputFacts | None:
    if "capture" not in bundles:
        return None
    capture = read_json(bundles["capture"].folder / "capture.json", Capture)
    return InputFacts(
        kind=capture.kind,
        sha256=capture.sha256,
        frames=capture.video.frames if capture.video else len(capture.sources),
        size=capture.sources[0].size_wh,
    )


def _frames(bundles: dict[str, Bundle]) -> tuple[FrameFacts, ...]:
    if "keyframes" not in bundles:
        return ()
    keyframes = read_json(bundles["keyframes"].folder / "keyframes.json", Keyframes)
    return tuple(
        FrameFacts(image=f.image, source=f.source, timestamp_s=f.timestamp_s, sharpness=f.sharpness)
        for f in keyframes.frames
    )


def _list_files(folder: Path) -> dict[str, FileFacts]:
    return {
        path.relative_to(folder).as_posix(): describe_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARKER
    }


def describe_file(path: Path) -> FileFacts:
    """The metrics of one file."""
    return FileFacts(bytes=path.stat().st_size, sha256=file_sha256(path))


def _versions() -> dict[str, str]:
    """Of Python and of those packages that are installed: photos need no `av`, a checkout no metadata."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
