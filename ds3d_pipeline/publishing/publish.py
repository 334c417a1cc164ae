"""What a finished capture consists of: its files, `metrics.json`, `report.html` and `view.html`."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ds3d_pipeline.formats.gltf import name_parts
from ds3d_pipeline.metrics.record import FileFacts, Metrics, metrics_json
from ds3d_pipeline.metrics.schema import check_metrics
from ds3d_pipeline.programs.folders import sync_folder
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.publishing.build import Story, build_metrics, describe_file
from ds3d_pipeline.report.page import write_report
from ds3d_pipeline.report.view_page import write_view
from ds3d_pipeline.stages.table import products
from ds3d_pipeline.storage.bundles import Bundle
from ds3d_pipeline.storage.manifest import read_manifest, set_aside
from ds3d_pipeline.storage.ownership import (
    FAILED,
    check_output,
    finish_replacing,
    is_barely_begun,
    mark_finished,
    mark_staging,
    read_marker,
    replace_folder,
)


def publish_capture(story: Story, bundles: dict[str, Bundle], output: Path) -> dict[str, Any]:
    """Puts the finished folder at `output`/<capture> in one step and returns its metrics.

    `bundles` by stage; a stage that did not finish is left out and listed in `story.failures`. Files of the
    user's that are in the folder stay. Raises InputError where the folder is not ours.
    """
    check_output(output, story.capture)
    output.mkdir(parents=True, exist_ok=True)
    folder = (output / story.capture).resolve()
    _tidy_after_kill(folder)
    return _publish(story, bundles, folder)


def publish_failure(story: Story, bundles: dict[str, Bundle], output: Path) -> tuple[dict[str, Any], Path]:
    """Publishes what a failed run did finish, and returns its metrics and their folder.

    Finished files of an earlier run are worth more: they stay, and the failure goes to `failed/` there.
    """
    check_output(output, story.capture)
    output.mkdir(parents=True, exist_ok=True)
    folder = (output / story.capture).resolve()
    _tidy_after_kill(folder)
    if _has_result(folder):
        folder = folder / FAILED
        _tidy_after_kill(folder)
    return _publish(story, bundles, folder), folder


def _has_result(folder: Path) -> bool:
    try:
        return read_json(folder / "metrics.json", dict[str, Any])["status"] != "failed"
    except FileNotFoundError:
        return False
    except (ValueError, KeyError):
        # What cannot be read may still be a result: it stays.
        return True


def _publish(story: Story, bundles: dict[str, Bundle], folder: Path) -> dict[str, Any]:
    number = uuid.uuid4().hex[:8]
    staged = folder.with_name(f".{folder.name}.{number}.part")
    try:
        staged.mkdir()
        mark_staging(staged, story.capture)
        _copy_files(bundles, staged)
        metrics = build_metrics(story, bundles, staged)
        _refuse_damage(bundles, {name: file.sha256 for name, file in metrics.files.items()})
        files = metrics.files | _name_models(staged, story.capture) | _write_pages(staged, metrics, bundles)
        content = metrics_json(replace(metrics, files=files))
        check_metrics(content)
        write_json(staged / "metrics.json", content)
        mark_finished(staged, story.capture, {name: file.sha256 for name, file in files.items()})
        sync_folder(staged)
        replace_folder(staged, folder, folder.with_name(f".{folder.name}.{number}.old"))
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return content


def _name_models(folder: Path, capture: str) -> dict[str, FileFacts]:
    """Names what other programs list of the GLBs after the capture."""
    models = sorted(folder.glob("*.glb"))
    for path in models:
        name_parts(path, capture)
    return {path.name: describe_file(path) for path in models}


def _write_pages(folder: Path, metrics: Metrics, bundles: dict[str, Bundle]) -> dict[str, FileFacts]:
    """What is written about the files: `view.html` where there is 3D, and the report."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        has_view = write_view(folder / "view.html", metrics, folder, Path(scratch))
    write_report(folder / "report.html", metrics, bundles, has_view=has_view)
    names = ("view.html", "report.html") if has_view else ("report.html",)
    return {name: describe_file(folder / name) for name in names}


def _refuse_damage(bundles: dict[str, Bundle], digests: dict[str, str]) -> None:
    """Raises BundleDamaged where what was copied is not what was sealed."""
    for stage, source, target in _copied(bundles):
        folder = bundles[stage].folder
        for name, entry in read_manifest(folder).items():
            if name == source or name.startswith(f"{source}/"):
                copy = target + name.removeprefix(source)
                if digests.get(copy) != entry.sha256:
                    raise set_aside(folder, name)


def _tidy_after_kill(folder: Path) -> None:
    """After a killed publication: its half is dropped, and what it had moved aside returns."""
    found = list(folder.parent.glob(f".{folder.name}.????????.*"))
    left = [path for path in found if read_marker(path) is not None]
    begun = [path for path in found if is_barely_begun(path)]
    for half in (*begun, *(path for path in left if path.suffix == ".part")):
        shutil.rmtree(half, ignore_errors=True)
    for earlier in (path for path in left if path.suffix == ".old"):
        if folder.exists():
            finish_replacing(folder, earlier)
        else:
            os.rename(earlier, folder)


def _copy_files(bundles: dict[str, Bundle], folder: Path) -> None:
    for stage, source, target in _copied(bundles):
        path = bundles[stage].folder / source
        if path.is_dir():
            shutil.copytree(path, folder / target)
        elif path.exists():
            shutil.copyfile(path, folder / target)


def _copied(bundles: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Stage, name in its bundle and name in the finished folder of all that is copied."""
    for stage, product in products():
        if product.source and stage in bundles:
            yield stage, product.source.removesuffix("/"), product.name.removesuffix("/")
