"""What the page draws of a finished capture: a splat that a phone can hold, and where the view begins."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

from ds3d_pipeline.formats.splat_ply import read_splat_ply
from ds3d_pipeline.formats.spz import write_spz
from ds3d_pipeline.report.view_scene import ViewScene, centres_in_world, describe_scene, read_model
from ds3d_pipeline.splats.thinning import preview_splat
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.web.published import Published

SPLAT = "model.splat.ply"
KIND = "v3.spz"
"""How a preview's name ends; those of earlier versions of ds3d have other axes and another name."""
MAKING = threading.Lock()
"""One at a time: a large splat takes gigabytes while it is read."""


def splat_preview(home: Home, job: str, published: Published) -> Path | None:
    """An SPZ of at most 150,000 Gaussians of degree 1; None where there is no splat.

    It is kept until the splat is another one. Raises StageError where the splat is damaged.
    """
    source = published.file(SPLAT)
    if source is None:
        return None
    found = source.stat()
    target = preview_folder(home, job) / f"{found.st_mtime_ns}-{found.st_size}.{KIND}"
    with MAKING:
        if not target.exists():
            _make(source, published.folder, target)
    return target


def _make(source: Path, folder: Path, target: Path) -> None:
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir(parents=True)
    part = target.with_name(f"{os.getpid()}.part")
    centres = centres_in_world(read_model(folder))
    write_spz(part, preview_splat(read_splat_ply(source), centres))
    os.replace(part, target)


def drop_previews(home: Home, job: str) -> None:
    """Removes what is kept of a job."""
    shutil.rmtree(preview_folder(home, job), ignore_errors=True)


def scene_preview(published: Published) -> ViewScene:
    """Where the view begins, and the unit of its lengths."""
    scale = published.metrics.get("scale")
    unit = scale["unit"] if isinstance(scale, dict) else None
    return describe_scene(read_model(published.folder), unit)


def preview_folder(home: Home, job: str) -> Path:
    """Where the previews of a job are kept."""
    return home.root / "previews" / job
