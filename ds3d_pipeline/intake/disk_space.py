"""Estimates a run's disk use before it starts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ds3d_pipeline.capture.archive import open_zip
from ds3d_pipeline.capture.inputs import find_inputs
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import Request

FIXED_BYTES = 300_000_000
"""Points, mesh and splat in their formats, and the finished copies of them."""
DEPTH_BYTES_PER_PIXEL = 20
"""Depth, normals and confidence in COLMAP's format; measured on fox and the synthetic capture."""
PHOTO_BYTES_PER_PIXEL = 0.6
"""JPEG of quality 95; keyframes, undistorted and finished ones are three copies."""
COPIES = 3
ASPECT = 0.75
"""Height over width of an ordinary photo; a wider one takes less."""


def check_space(home: Home, output: Path, request: Request, options: Mapping[str, Any]) -> None:
    """Raises StageError with the numbers where a run over the registered files will not fit on the disk.

    `options` by stage. Only local folders are looked at: nobody knows how full a bucket is.
    """
    needed = needed_bytes(request, options)
    for folder in (home.root, output):
        free = shutil.disk_usage(_existing(folder)).free
        if free < needed:
            cause = f"The run needs about {needed / 1e9:.1f} GB of disk and {free / 1e9:.1f} GB are free"
            remedy = "Free some space (`ds3d clean` shows what can be deleted), or choose a smaller mode."
            raise StageError(f"{cause} at {folder}.", remedy)


def needed_bytes(request: Request, options: Mapping[str, Any]) -> float:
    """Bytes of all that a run writes: the staged copy, every bundle, and the finished files."""
    staged, photos = _size(request)
    keyframes = options["keyframes"]
    frames = keyframes.max_frames if photos is None else min(keyframes.max_photos, photos)
    photo = COPIES * PHOTO_BYTES_PER_PIXEL * _pixels(keyframes.max_side_px)
    depth = DEPTH_BYTES_PER_PIXEL * _pixels(options["depth_maps"].max_side_px)
    return staged + frames * (photo + depth) + FIXED_BYTES


def _size(request: Request) -> tuple[int, int | None]:
    """Bytes of the staged copy and number of photos, None of a video; recorded, or found where it is not."""
    if content := request.content:
        return content.bytes, None if content.kind == "video" else len(content.usable)
    inputs = find_inputs(request.paths)
    staged = sum(file.stat().st_size for file in inputs.files)
    if inputs.kind == "video":
        return staged, None
    return staged, _in_zip(inputs.files[0]) if inputs.is_zip else len(inputs.files)


def _pixels(side_px: int) -> float:
    return ASPECT * side_px**2


def _in_zip(path: Path) -> int:
    with open_zip(path) as archive:
        return len(archive.namelist())


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
