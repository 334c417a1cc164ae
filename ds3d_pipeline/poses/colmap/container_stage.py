"""Poses by COLMAP in a container: what is written for it before, and what is made of its models after.

The container holds COLMAP and nothing of ours. Model choice, diagnosis, world frame and undistortion are
those of the pycolmap rung.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ds3d_pipeline.poses.colmap.intrinsics import given_K
from ds3d_pipeline.poses.colmap.mapping import merge, pipeline_options, size_of
from ds3d_pipeline.poses.colmap.pycolmap_stage import ENOUGH, Stopwatch, conclude, map_once
from ds3d_pipeline.poses.colmap.script import DATABASE, MODELS, PAIRS, cameras_of, list_name, make_script
from ds3d_pipeline.poses.matching.features import extract_all
from ds3d_pipeline.poses.matching.pairs import choose_pairs
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.poses.report import MappingAttempt, PosesReport, PosesScript
from ds3d_pipeline.programs.colmap_cli import SCRIPT, VERSION
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.scene import Keyframe, Keyframes

SIMILARITY_SIDE_PX, SIMILARITY_FEATURES = 640, 1000
"""Enough to find similar frames; COLMAP finds the features that it matches by itself."""
HOW = "how.txt"


def write_script(work: Work[PosesOptions]) -> PosesScript:
    """Writes `scratch/` with the script, the images of each camera and the pairs to match."""
    keyframes = read_json(work.input / "keyframes.json", Keyframes)
    frames = _in_order(keyframes)
    scratch = clear_folder(work.output / "scratch")
    features = extract_all(
        [work.input / "images" / frame.image for frame in frames],
        max_side_px=SIMILARITY_SIDE_PX,
        max_features=SIMILARITY_FEATURES,
        report=work.progress.part(0.0, 0.05),
    )
    pairs, how = choose_pairs(keyframes.kind, frames, features, work.options)
    _write_lines(scratch / PAIRS, [f"{frames[a].image} {frames[b].image}" for a, b in pairs])
    for camera in cameras_of(frames):
        _write_lines(scratch / list_name(camera), [f.image for f in frames if f.camera == camera])
    script = make_script(frames, work.options, given_K(work.options, frames))
    (scratch / SCRIPT).write_text(script, encoding="utf-8")
    (scratch / HOW).write_text(how, encoding="utf-8")
    return PosesScript(pairs=how)


def _in_order(keyframes: Keyframes) -> list[Keyframe]:
    return sorted(keyframes.frames, key=lambda frame: frame.image)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_models(work: Work[PosesOptions]) -> PosesReport:
    """Writes `sparse/` and undistorted `images/`. Raises StageError where too few frames can be registered.

    Where COLMAP registered few, its matches are mapped once more here, with looser thresholds.
    """
    keyframes = read_json(work.input / "keyframes.json", Keyframes)
    scratch, stopwatch, total = work.output / "scratch", Stopwatch(), len(keyframes.frames)
    how = (scratch / HOW).read_text(encoding="utf-8")
    model = _best_model(work, scratch)
    attempts = [_attempt_of(model, how, loose=False)]
    if size_of(model)[0] < ENOUGH * total:
        again = map_once(work, scratch / DATABASE, total, loose=True)
        attempts.append(_attempt_of(again, how, loose=True))
        model = max(model, again, key=size_of)
    stopwatch.lap("mapping")
    version = (scratch / VERSION).read_text(encoding="utf-8").strip()
    return replace(conclude(work, keyframes, model, attempts, stopwatch), colmap=version)


def _best_model(work: Work[PosesOptions], scratch: Path) -> pycolmap.Reconstruction | None:
    options = pipeline_options(
        seed=work.options.seed, loose=False, fixed_intrinsics=work.options.K is not None
    )
    folders = sorted(path for path in (scratch / MODELS).iterdir() if path.is_dir())
    models = [pycolmap.Reconstruction(folder) for folder in folders]
    return merge(models, scratch / DATABASE, work.input / "images", scratch / MODELS, options)


def _attempt_of(model: pycolmap.Reconstruction | None, how: str, *, loose: bool) -> MappingAttempt:
    registered, points = size_of(model)
    return MappingAttempt(loose=loose, more=1, pairs=how, registered=registered, points=points)
