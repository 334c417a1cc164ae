"""Poses by COLMAP's incremental mapping (Schoenberger and Frahm, 2016) through pycolmap."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ds3d_pipeline.poses.colmap.intrinsics import given_K, refine
from ds3d_pipeline.poses.colmap.mapping import map_images, match_pairs, pipeline_options, size_of
from ds3d_pipeline.poses.colmap.undistortion import flatten
from ds3d_pipeline.poses.diagnosis.colmap_evidence import gather_evidence
from ds3d_pipeline.poses.diagnosis.diagnosis import judge
from ds3d_pipeline.poses.diagnosis.evidence import summarize
from ds3d_pipeline.poses.diagnosis.match_matrix import write_match_matrix
from ds3d_pipeline.poses.diagnosis.registration import describe_unregistered
from ds3d_pipeline.poses.matching.features import extract_all, fill_database
from ds3d_pipeline.poses.matching.pairs import choose_pairs
from ds3d_pipeline.poses.normalize import normalize
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.poses.report import CameraModel, MappingAttempt, PosesReport, SceneScale
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.scene import Keyframes

TRIES = ((False, 1), (True, 1), (True, 2))
"""Whether thresholds are loose, and how many times the usual number of features is extracted."""
ENOUGH = 0.85
"""Share of the frames that ends the tries."""
log = logging.getLogger(__name__)


def map_with_pycolmap(work: Work[PosesOptions]) -> PosesReport:
    """Writes `sparse/` and undistorted `images/`. Raises StageError if too few frames are registered."""
    keyframes = read_json(work.input / "keyframes.json", Keyframes)
    pycolmap.set_random_seed(work.options.seed)
    scratch = clear_folder(work.output / "scratch")
    stopwatch = Stopwatch()
    model, attempts = _map(work, keyframes, scratch, stopwatch)
    return conclude(work, keyframes, model, attempts, stopwatch)


def conclude(
    work: Work[PosesOptions],
    keyframes: Keyframes,
    model: pycolmap.Reconstruction | None,
    attempts: Sequence[MappingAttempt],
    stopwatch: Stopwatch,
) -> PosesReport:
    """Judges, refines, measures and writes the model that the matches in `scratch/database.db` gave.

    Raises StageError where too few frames are registered.
    """
    scratch = work.output / "scratch"
    database = scratch / "database.db"
    evidence = gather_evidence(database, keyframes, work.input / "images", model)
    diagnosis = judge(evidence, work.options.min_registered)
    write_match_matrix(work.output / "matches.jpg", evidence)
    assert model is not None, "judge raises where there is no model"
    stopwatch.lap("diagnosis")
    model, estimated = refine(model, fixed=work.options.K is not None)
    stopwatch.lap("mapping")
    report = _measure(model, keyframes, database)
    work.progress(0.9, "undistorting")
    scale = _write(model, work, scratch, keyframes)
    stopwatch.lap("undistortion")
    work.progress(1.0, "done")
    return replace(
        report,
        intrinsics=estimated,
        attempts=tuple(attempts),
        diagnosis=diagnosis,
        evidence=summarize(evidence),
        scale=scale,
        pairs=attempts[-1].pairs,
        retries=len(attempts) - 1,
        seed=work.options.seed,
        phase_seconds=stopwatch.seconds,
    )


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
    work: Work[PosesOptions], keyframes: Keyframes, scratch: Path, stopwatch: Stopwatch
) -> tuple[pycolmap.Reconstruction | None, list[MappingAttempt]]:
    """The best model of up to three tries, which end once enough frames are registered; records each try.

    The second try maps the same matches with looser thresholds, the third those of twice the features. The
    first try's matches stay in `database.db`.
    """
    total, best, attempts = len(keyframes.frames), None, []
    database, how = scratch / "database.db", ""
    for loose, more in TRIES:
        if not attempts or more > 1:
            database = scratch / ("database.db" if more == 1 else "more.db")
            how = _match(work, keyframes, database, stopwatch, more=more)
        model = map_once(work, database, total, loose=loose)
        stopwatch.lap("mapping")
        registered, points = size_of(model)
        attempts.append(
            MappingAttempt(loose=loose, more=more, pairs=how, registered=registered, points=points)
        )
        best = max(best, model, key=size_of)
        if registered >= ENOUGH * total:
            break
        log.warning("%d of %d frames registered at try %d", registered, total, len(attempts))
    return best, attempts


def _match(
    work: Work[PosesOptions], keyframes: Keyframes, database: Path, stopwatch: Stopwatch, *, more: int
) -> str:
    """Fills a new database with features and matches; returns how the pairs were chosen."""
    options = work.options
    frames = sorted(keyframes.frames, key=lambda frame: frame.image)
    features = extract_all(
        [work.input / "images" / frame.image for frame in frames],
        max_side_px=more * options.max_side_px,
        max_features=more * options.max_features,
        report=work.progress.part(0.0, 0.3),
    )
    fill_database(database, frames, features, given_K(options, frames))
    stopwatch.lap("features")
    pairs, how = choose_pairs(keyframes.kind, frames, features, options, more=more)
    named = [(frames[a].image, frames[b].image) for a, b in pairs]
    match_pairs(database, named, seed=options.seed, report=work.progress.part(0.3, 0.5))
    stopwatch.lap("matching")
    return how


def map_once(
    work: Work[PosesOptions], database: Path, total: int, *, loose: bool
) -> pycolmap.Reconstruction | None:
    """One try at the matches of a database; None where nothing can be registered."""

    def report(registered: int) -> None:
        work.progress(0.5 + 0.4 * min(registered / total, 1.0), f"{registered} of {total} cameras aligned")

    options = pipeline_options(
        seed=work.options.seed, loose=loose, fixed_intrinsics=work.options.K is not None
    )
    return map_images(database, work.input / "images", database.parent / "sparse", options, report)


def _measure(model: pycolmap.Reconstruction, keyframes: Keyframes, database: Path) -> PosesReport:
    registered = {image.name for image in model.images.values() if image.has_pose}
    cameras = tuple(
        CameraModel(model=camera.model.name, params=tuple(round(float(p), 4) for p in camera.params))
        for camera in model.cameras.values()
    )
    return PosesReport(
        registered=len(registered),
        total=len(keyframes.frames),
        mean_reprojection_error_px=float(model.compute_mean_reprojection_error()),
        points=int(model.num_points3D()),
        mean_track_length=float(model.compute_mean_track_length()),
        unregistered=tuple(frame.image for frame in keyframes.frames if frame.image not in registered),
        **vars(describe_unregistered(keyframes, registered)),
        cameras=cameras,
        matches=_describe_matches(database),
    )


def _describe_matches(database: Path) -> str:
    """How well the pairs matched, in words with numbers."""
    with pycolmap.Database.open(database) as opened:
        _, geometries = opened.read_two_view_geometries()
    inliers = np.array([len(geometry.inlier_matches) for geometry in geometries])
    if not inliers.any():
        return "no pair of frames matched"
    return f"{np.count_nonzero(inliers)} matched pairs, median {np.median(inliers[inliers > 0]):.0f} matches"


def _write(
    model: pycolmap.Reconstruction, work: Work[PosesOptions], scratch: Path, keyframes: Keyframes
) -> SceneScale:
    """Undistorted PINHOLE images and the model in our world frame, whole or not at all; returns the unit."""
    flat = flatten(model, work.input / "images", scratch / "images")
    scale = normalize(flat, keyframes.frames)
    flat.write(clear_folder(work.output / "sparse"))
    shutil.rmtree(work.output / "images", ignore_errors=True)
    shutil.move(scratch / "images", work.output / "images")
    shutil.rmtree(scratch)
    return scale
