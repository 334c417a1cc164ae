"""How much memory a stage will take, known before it starts, and smaller sizes where that is too much.

The model is a straight line per program (`Rung.memory_mb` of the stage's card), fitted to the peaks
(`peak_memory_mb` of the reports) of the synthetic capture, fox, fountain-P11 and sceaux-castle in all modes:
0.08 to 6.3 megapixels, 1 to 49 images. `MARGIN` covers how far the peaks lay above the lines. Programs that
were not measured are not judged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.programs.limits import free_memory_bytes
from ds3d_pipeline.programs.rungs import Load
from ds3d_pipeline.programs.settings import read_number
from ds3d_pipeline.stages.stage import Knob
from ds3d_pipeline.stages.table import STAGE_CARDS, find_rung, stage_label


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
    from ds3d_pipeline.capture.jpeg import size_as_read
    from ds3d_pipeline.programs.records import read_json
    from ds3d_pipeline.scene import Capture

    capture = read_json(path, Capture)
    sizes = (size_as_read(source.size_wh) for source in capture.sources)
    largest = max(sizes, key=lambda wh: wh[0] * wh[1])
    return Load(images=len(capture.sources), size_wh=largest, is_video=capture.kind == "video")


def _largest(images: list[Path]) -> tuple[int, int]:
    from ds3d_pipeline.formats.images import read_size_wh

    return max(map(read_size_wh, images), key=lambda wh: wh[0] * wh[1], default=(0, 0))


def _points(path: Path) -> int:
    """The number of vertices in a PLY's header."""
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
class Fit:
    """Options that fit; `note` says what was made smaller and why, empty where nothing was."""

    options: Any
    needed_mb: float | None
    note: str = ""


def needed_mb(stage: str, backend: str, load: Load, options: Any) -> float | None:
    """Peak memory of one program in MB; None where it was never measured."""
    model = find_rung(stage, backend).memory_mb
    return MARGIN * model(load, options) if model else None


def fit_memory(stage: str, backend: str, load: Load, options: Any, available_mb: float) -> Fit:
    """Options whose need fits into `available_mb`, made smaller as far as it takes.

    Raises StageError with the numbers where even the smallest sizes do not fit.
    """
    needed = needed_mb(stage, backend, load, options)
    if needed is None or needed <= available_mb:
        return Fit(options=options, needed_mb=needed)
    smaller = options
    for knob in STAGE_CARDS[stage].knobs:
        while _is_larger(smaller, knob) and _need(stage, backend, load, smaller) > available_mb:
            size = max(knob.least, int(getattr(smaller, knob.option) * STEP))
            smaller = replace(smaller, **{knob.option: size})
    text = f"Not enough memory for {stage_label(stage)}: about {_gb(needed)} needed, {_gb(available_mb)} free"
    if (left := _need(stage, backend, load, smaller)) > available_mb:
        least_text = "" if smaller == options else f" ({_gb(left)} at the smallest size)"
        raise StageError(f"{text}{least_text}.", "Close other programs, or choose a smaller mode or images.")
    return Fit(options=smaller, needed_mb=left, note=f"{text}. Made smaller: {_changes(options, smaller)}.")


def _is_larger(options: Any, knob: Knob) -> bool:
    return getattr(options, knob.option) > knob.least


def _need(stage: str, backend: str, load: Load, options: Any) -> float:
    return needed_mb(stage, backend, load, options) or 0.0


def _changes(before: Any, after: Any) -> str:
    old = cast(dict[str, Any], vars(before))
    new = cast(dict[str, Any], vars(after))
    return ", ".join(
        f"{name} is {new[name]} instead of {old[name]}" for name in old if old[name] != new[name]
    )


def _gb(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB"


def available_mb() -> float:
    """What a stage may take now: `DS3D_MEMORY_MB`, else most of what machine and container have free."""
    return read_number("DS3D_MEMORY_MB") or USABLE_SHARE * free_memory_bytes() / 1e6
