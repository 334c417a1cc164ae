"""How much memory a stage will take, told before it starts, and smaller sizes where that is too much.

The model is a straight line per program, fitted to the peaks (`peak_memory_mb` of the reports) of the
synthetic capture, fox, fountain-P11 and sceaux-castle in all modes: 0.08 to 6.3 megapixels, 1 to 49 images.
`MARGIN` covers how far the peaks lay above the lines. Programs that were not measured are not judged.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ds3d_pipeline.errors import StageError


def read_load(input_dir: Path) -> Load:
    """Images, their size and the points of an input folder; what is not there counts as 0."""
    if (input_dir / "capture.json").exists():
        return _of_capture(input_dir / "capture.json")
    images = sorted(path for path in (input_dir / "images").glob("*") if path.is_file())
    return Load(
        images=len(images),
        size_wh=_largest(images),
        points=_points(input_dir / "pointcloud.ply"),
    )


def _of_capture(path: Path) -> Load:
    from ds3d_pipeline.programs.records import read_json
    from ds3d_pipeline.scene import Capture

    capture = read_json(path, Capture)
    largest = max((source.size_wh for source in capture.sources), key=lambda wh: wh[0] * wh[1])
    return Load(images=len(capture.sources), size_wh=largest, is_video=capture.kind == "video")


def _largest(images: list[Path]) -> tuple[int, int]:
    from PIL import Image

    largest = (0, 0)
    for path in images:
        with Image.open(path) as image:
            largest = max(largest, image.size, key=lambda wh: wh[0] * wh[1])
    return largest


def _points(path: Path) -> int:
    """The vertices that a PLY's header tells."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b"element vertex"):
                return int(line.split()[2])
            if line.startswith(b"end_header"):
                break
    return 0


MARGIN = 1.15
USABLE_SHARE = 0.9
"""Of the memory that is free: the rest of the machine goes on living."""
STEP = 0.85
"""A size that does not fit is tried again this much smaller."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a stage has to work on; all that is not known yet is 0."""

    images: int = 0
    size_wh: tuple[int, int] = (0, 0)
    """Of the largest image, in pixels."""
    is_video: bool = False
    points: int = 0

    def megapixels(self, max_side_px: float = math.inf) -> float:
        """Of one image whose longer side is at most `max_side_px`."""
        scale = min(1.0, max_side_px / max(*self.size_wh, 1))
        return self.size_wh[0] * self.size_wh[1] * scale**2 / 1e6


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Options that fit; `note` says what was made smaller and why, empty where nothing was."""

    options: Any
    needed_mb: float | None
    note: str = ""


def _threads() -> int:
    return min(8, os.cpu_count() or 1)


def _keyframes(load: Load, options: Any) -> float:
    """Photos are read at full size, one a thread; a video keeps the frames of a stretch of motion."""
    return 90 + load.megapixels() * (165 if load.is_video else 15 * _threads())


def _poses(load: Load, options: Any) -> float:
    """Scale-space pyramids, one a thread, which weigh more above a megapixel, and every image's features."""
    size, threads = load.megapixels(options.max_side_px), _threads()
    features_mb = load.images * options.max_features * 128 / 1e6
    return max(500 + 80 * threads * size, 330 + 210 * threads * size) + features_mb


def _opencv_poses(load: Load, options: Any) -> float:
    """The same, with features of four bytes a number."""
    return _poses(load, options) + 3 * load.images * options.max_features * 128 / 1e6


def _depth_maps(load: Load, options: Any) -> float:
    """A few photos and maps at a time; but what fusion will need of maps this large counts as well."""
    size = load.megapixels(options.max_side_px)
    return max(300 + 650 * size, 300 + 45 * size * load.images)


def _mesh(load: Load, options: Any) -> float:
    return 390 + 250 * load.points / 1e6 + 35 * options.texture_px**2 / 1e6


def _relief(load: Load, options: Any) -> float:
    """One photo and its map."""
    return 280 + 30 * load.megapixels()


def _splat(load: Load, options: Any) -> float:
    """Gaussians with their gradients and moments; photos as bytes."""
    photos_mb = 4 * load.images * load.megapixels(options.max_side_px)
    return 250 + 2 * options.max_gaussians / 1e3 + photos_mb


NEEDS: dict[tuple[str, str], Callable[[Load, Any], float]] = {
    ("keyframes", "local"): _keyframes,
    ("poses", "pycolmap"): _poses,
    ("poses", "opencv"): _opencv_poses,
    ("depth_maps", "patchmatch"): _depth_maps,
    ("mesh", "poisson"): _mesh,
    ("mesh", "relief"): _relief,
    ("splat", "cpu"): _splat,
}
KNOBS: dict[str, tuple[tuple[str, int], ...]] = {
    "poses": (("max_side_px", 640),),
    "depth_maps": (("max_side_px", 256),),
    "mesh": (("texture_px", 1024),),
    "splat": (("max_gaussians", 20_000), ("max_side_px", 480)),
}
"""The options that make a stage smaller, in this order, and the least that is still worth having."""


def needed_mb(stage: str, backend: str, load: Load, options: Any) -> float | None:
    """Peak memory of one program in MB; None where it was never measured."""
    need = NEEDS.get((stage, backend))
    return MARGIN * need(load, options) if need else None


def fit_memory(stage: str, backend: str, load: Load, options: Any, available_mb: float) -> Fit:
    """Options whose need fits into `available_mb`, made smaller as far as it takes.

    Raises StageError with the numbers where even the smallest sizes do not fit.
    """
    needed = needed_mb(stage, backend, load, options)
    if needed is None or needed <= available_mb:
        return Fit(options=options, needed_mb=needed)
    smaller = options
    for name, least in KNOBS.get(stage, ()):
        while getattr(smaller, name) > least and _need(stage, backend, load, smaller) > available_mb:
            smaller = replace(smaller, **{name: max(least, int(getattr(smaller, name) * STEP))})
    text = f"{stage} needs about {_gb(needed)} of memory and {_gb(available_mb)} can be used"
    if (left := _need(stage, backend, load, smaller)) > available_mb:
        least_text = "" if smaller == options else f" and {_gb(left)} at the smallest size"
        raise StageError(f"{text}{least_text}.", "Close other programs, or choose a smaller mode or images.")
    return Fit(options=smaller, needed_mb=left, note=f"{text}: {_changes(options, smaller)}.")


def _need(stage: str, backend: str, load: Load, options: Any) -> float:
    return needed_mb(stage, backend, load, options) or 0.0


def _changes(before: Any, after: Any) -> str:
    old, new = vars(before), vars(after)
    return ", ".join(
        f"{name} is {new[name]} instead of {old[name]}" for name in old if old[name] != new[name]
    )


def _gb(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB"


def available_mb() -> float:
    """What a stage may take now: `DS3D_MEMORY_MB`, else most of what machine and container have free."""
    import psutil

    if told := os.environ.get("DS3D_MEMORY_MB"):
        return float(told)
    free = psutil.virtual_memory().available
    return USABLE_SHARE * min(free, _free_in_container()) / 1e6


def _free_in_container(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes until the limit of the control group (version 2); infinite without one."""
    try:
        limit = (root / "memory.max").read_text().strip()
        used = int((root / "memory.current").read_text())
        told = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
    except OSError:
        return math.inf
    # File pages that can be dropped count as used there.
    return math.inf if limit == "max" else int(limit) - used + int(told["inactive_file"])
