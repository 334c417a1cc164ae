"""Poses by COLMAP's incremental mapping (Schoenberger and Frahm, 2016) through pycolmap."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.options import PosesOptions
from ds3d_pipeline.poses.features import extract_all, fill_database
from ds3d_pipeline.poses.intrinsics import given_K, refine
from ds3d_pipeline.poses.mapping import map_images, pipeline_options, size_of
from ds3d_pipeline.poses.matches import match_pairs
from ds3d_pipeline.poses.normalize import normalize
from ds3d_pipeline.poses.pairs import choose_pairs
from ds3d_pipeline.poses.undistortion import flatten
from ds3d_pipeline.program import Work
from ds3d_pipeline.records import read_json
from ds3d_pipeline.runners import clear_folder
from ds3d_pipeline.scene import Keyframes

TRIES = ((False, 1), (True, 1), (True, 2))
"""Whether thresholds are loose, and how many times the usual features are looked for."""
ENOUGH = 0.85
"""Share of the frames that ends the tries."""
log = logging.getLogger(__name__)


def map_with_pycolmap(work: Work[PosesOptions]) -> dict[str, Any]:
    """Writes `sparse/` and undistorted `images/`. Raises StageError where too few frames can be placed."""
    keyframes = read_json(work.input / "keyframes.json", Keyframes)
    pycolmap.set_random_seed(work.options.seed)
    scratch = clear_folder(work.output / "scratch")
    watch = Stopwatch()
    model, attempts = _map(work, keyframes, scratch, watch)
    database = scratch / "database.db"
    model = _require(model, work, keyframes, database)
    model, estimated = refine(model, fixed=work.options.K is not None)
    watch.lap("mapping")
    result = _measure(model, keyframes, database) | {"intrinsics": estimated, "attempts": attempts}
    work.progress(0.9, "undistorting")
    _write(model, work, scratch)
    watch.lap("undistortion")
    work.progress(1.0, "done")
    result |= {"pairs": attempts[-1]["pairs"], "retries": len(attempts) - 1}
    return result | {"seed": work.options.seed, "phase_seconds": watch.seconds}


class Stopwatch:
    """Wall time by phase; phases that come again add up."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.seconds: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        """What passed since the last lap belongs to `phase`."""
        now = time.monotonic()
        self.seconds[phase] = round(self.seconds.get(phase, 0.0) + now - self._last, 2)
        self._last = now


def _map(
    work: Work[PosesOptions], keyframes: Keyframes, scratch: Path, watch: Stopwatch
) -> tuple[pycolmap.Reconstruction | None, list[dict[str, Any]]]:
    """The best model of up to three tries, which end where enough frames are placed; tells each try.

    The second try maps the same matches with looser thresholds, the third twice the features and pairs.
    """
    total, best, attempts = len(keyframes.frames), None, []
    how = ""
    for loose, more in TRIES:
        if not attempts or more > 1:
            how = _match(work, keyframes, scratch, watch, more=more)
        model = _map_once(work, scratch, total, loose=loose)
        watch.lap("mapping")
        placed, points = size_of(model)
        attempts.append({"loose": loose, "more": more, "pairs": how, "registered": placed, "points": points})
        best = max(best, model, key=size_of)
        if placed >= ENOUGH * total:
            break
        log.warning("%d of %d frames placed at try %d", placed, total, len(attempts))
    return best, attempts


def _match(
    work: Work[PosesOptions], keyframes: Keyframes, scratch: Path, watch: Stopwatch, *, more: int
) -> str:
    """Fills a new database with features and matches; tells how the pairs were chosen."""
    options = work.options
    frames = sorted(keyframes.frames, key=lambda frame: frame.image)
    features = extract_all(
        [work.input / "images" / frame.image for frame in frames],
        max_side_px=more * options.max_side_px,
        max_features=more * options.max_features,
        report=work.progress.part(0.0, 0.3),
    )
    database = scratch / "database.db"
    database.unlink(missing_ok=True)
    fill_database(database, frames, features, given_K(options, frames))
    watch.lap("features")
    pairs, how = choose_pairs(keyframes.kind, frames, features, options, more=more)
    named = [(frames[a].image, frames[b].image) for a, b in pairs]
    match_pairs(database, named, seed=options.seed, report=work.progress.part(0.3, 0.5))
    watch.lap("matching")
    return how


def _map_once(
    work: Work[PosesOptions], scratch: Path, total: int, *, loose: bool
) -> pycolmap.Reconstruction | None:
    def report(placed: int) -> None:
        work.progress(0.5 + 0.4 * min(placed / total, 1.0), f"{placed} frames placed")

    options = pipeline_options(
        seed=work.options.seed, loose=loose, fixed_intrinsics=work.options.K is not None
    )
    return map_images(scratch / "database.db", work.input / "images", scratch / "sparse", options, report)


def _require(
    model: pycolmap.Reconstruction | None, work: Work[PosesOptions], keyframes: Keyframes, database: Path
) -> pycolmap.Reconstruction:
    placed = size_of(model)[0]
    if model is not None and placed >= work.options.min_registered:
        return model
    raise StageError(
        f"Only {placed} of {len(keyframes.frames)} frames could be placed, at least"
        f" {work.options.min_registered} are needed ({_describe_matches(database)}).",
        "Film again more slowly around the object: sharp, overlapping, textured views, moving sideways.",
    )


def _measure(model: pycolmap.Reconstruction, keyframes: Keyframes, database: Path) -> dict[str, Any]:
    placed = {image.name for image in model.images.values() if image.has_pose}
    cameras = [
        {"model": camera.model.name, "params": [round(float(p), 4) for p in camera.params]}
        for camera in model.cameras.values()
    ]
    return {
        "registered": len(placed),
        "total": len(keyframes.frames),
        "mean_reprojection_error_px": float(model.compute_mean_reprojection_error()),
        "points": int(model.num_points3D()),
        "mean_track_length": float(model.compute_mean_track_length()),
        "unregistered": [frame.image for frame in keyframes.frames if frame.image not in placed],
        "cameras": cameras,
        "matches": _describe_matches(database),
    }


def _describe_matches(database: Path) -> str:
    """How well the pairs matched, in words with numbers."""
    with pycolmap.Database.open(database) as opened:
        _, geometries = opened.read_two_view_geometries()
    inliers = np.array([len(geometry.inlier_matches) for geometry in geometries])
    if not inliers.any():
        return "no pair of frames matched"
    return f"{np.count_nonzero(inliers)} matched pairs, median {np.median(inliers[inliers > 0]):.0f} matches"


def _write(model: pycolmap.Reconstruction, work: Work[PosesOptions], scratch: Path) -> None:
    """Undistorted PINHOLE images and the model in our world frame, whole or not at all."""
    flat = flatten(model, work.input / "images", scratch / "images")
    normalize(flat)
    flat.write(clear_folder(work.output / "sparse"))
    shutil.rmtree(work.output / "images", ignore_errors=True)
    shutil.move(scratch / "images", work.output / "images")
    shutil.rmtree(scratch)
