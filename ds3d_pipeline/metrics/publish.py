"""What a finished capture consists of: the files, `metrics.json`, and the honest word about them."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from ds3d_pipeline.metrics.build import Story, _describe_file, build_metrics
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.report.page import write_report
from ds3d_pipeline.storage.bundles import Bundle

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
