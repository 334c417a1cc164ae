"""How long the stages of finished captures took, and what a capture is known to work on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from upath import UPath

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.execution.costs import MADE, QUICK, Workload
from ds3d_pipeline.formats.images import read_size_wh
from ds3d_pipeline.keyframes.report import KeyframesReport
from ds3d_pipeline.names import MODES
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.programs.options import is_table
from ds3d_pipeline.stages.modes import MODES as MODE_OPTIONS
from ds3d_pipeline.storage.bundles import CURRENT, current_report, current_version
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import Request, registered_request

MOST_READ = 60
"""So many of the latest captures are read."""
USUAL_KEYFRAMES = {"fastest": 30, "balanced": 40, "quality": 80}
USUAL_SIZE_WH = (1920, 1080)
"""Of what was sent, as long as nobody looked."""
USUAL_FRAMES = 900
"""Of a video of half a minute."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long the stages of one finished capture took, in seconds; only those that made something."""

    mode: str
    photos: int
    size_wh: tuple[int, int]
    frames: int
    """Of a video; 0 of photos."""
    seconds: dict[str, float]
    """Without compiling, and without backends that failed before the one that made the files."""
    steps: int | None = None
    """Of the splat's training; None where there was none."""


def timing_of(metrics: Mapping[str, Any]) -> Timing | None:
    """What a `metrics.json` says about time; None of one that failed or is not ours."""
    mode, stages, sent = metrics.get("mode"), metrics.get("stages"), metrics.get("input")
    keyframes: Any = metrics.get("keyframes")
    photos = len(cast(list[Any], keyframes)) if isinstance(keyframes, list) else 0
    if metrics.get("status") == "failed" or not is_table(stages):
        return None
    made = {name: facts for name, facts in stages.items() if name in MADE and is_table(facts)}
    if mode not in MODES or not photos or not is_table(sent):
        return None
    seconds = {name: _worked_s(facts) for name, facts in made.items() if _is_usual(name, facts, mode)}
    if not seconds:
        return None
    splat: Any = metrics.get("splat")
    return Timing(
        mode=mode,
        photos=photos,
        size_wh=(int(sent["size"][0]), int(sent["size"][1])),
        frames=int(sent["frames"]) if sent["kind"] == "video" else 0,
        seconds=seconds,
        steps=splat.get("iterations") or None if is_table(splat) else None,
    )


def _is_usual(stage: str, facts: Mapping[str, Any], mode: str) -> bool:
    """Whether a backend made the stage that says how long it takes when nothing goes wrong."""
    backend = facts.get("backend")
    trains = stage != "splat" or MODE_OPTIONS[mode].splat.train
    return bool(backend) and not (backend in QUICK and trains)


def _worked_s(facts: Mapping[str, Any]) -> float:
    attempts = facts.get("attempts") or [{"seconds": facts.get("seconds", 0.0)}]
    return max(float(attempts[-1]["seconds"]) - float(facts.get("compile_seconds", 0.0)), 0.0)


def read_timings(home: Home) -> list[Timing]:
    """Of every finished capture of this home, the latest first."""
    place = UPath(home.storage) / "metrics"
    captures = [path for path in place.iterdir() if (path / CURRENT).exists()] if place.exists() else []
    latest = sorted(captures, key=lambda path: -((path / CURRENT).stat().st_mtime or 0.0))
    found = (_read_timing(path) for path in latest[:MOST_READ])
    return [timing for timing in found if timing]


def _read_timing(place: UPath) -> Timing | None:
    """None also of what is replaced or removed meanwhile, and of what another version wrote."""
    version = current_version(place)
    try:
        metrics: Any = json.loads((place / version / "metrics.json").read_bytes()) if version else None
        return timing_of(metrics) if is_table(metrics) else None
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def usual_workload(mode: str) -> Workload:
    """Of a capture of which nothing is known yet."""
    return _workload(USUAL_KEYFRAMES[mode], USUAL_SIZE_WH, vars(MODE_OPTIONS[mode]))


def workload_of(
    home: Home, capture: str, mode: str, options: Mapping[str, Any], *, has_keyframes: bool
) -> Workload:
    """What is known of a capture: of its stored keyframes where they count, else of what was sent."""
    found = current_report(UPath(home.storage) / "keyframes" / capture) if has_keyframes else None
    if found is not None:
        chosen = found[1].read(KeyframesReport)
        frames = chosen.considered if chosen.fps else 0
        return _workload(chosen.kept, chosen.size, options, frames)
    registered = registered_request(home, capture)
    if registered is None or registered.content is None or registered.content.kind != "photos":
        return _workload(USUAL_KEYFRAMES[mode], USUAL_SIZE_WH, options, USUAL_FRAMES)
    photos = min(len(registered.content.usable), options["keyframes"].max_photos)
    return _workload(photos, _photo_size(registered), options)


def _workload(photos: int, size_wh: tuple[int, int], options: Mapping[str, Any], frames: int = 0) -> Workload:
    return Workload(photos=photos, size_wh=size_wh, options=options, frames=frames, cores=allowed_cpus())


def _photo_size(registered: Request) -> tuple[int, int]:
    """Of the first photo that is in no zip."""
    names = [file.name for file in registered.content.usable] if registered.content else []
    places = [path / name if path.is_dir() else path for path in registered.paths for name in names[:1]]
    photos = [place for place in places if place.is_file() and place.suffix.lower() != ".zip"]
    # A photo that has gone meanwhile, or that Pillow does not read by itself: then the size is not known.
    with contextlib.suppress(StageError):
        return read_size_wh(photos[0]) if photos else USUAL_SIZE_WH
    return USUAL_SIZE_WH
