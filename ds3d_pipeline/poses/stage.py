"""Poses by COLMAP's incremental mapping (Schoenberger and Frahm, 2016) through pycolmap."""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from ds3d_pipeline.options import PosesOptions
from ds3d_pipeline.poses.colmap_evidence import gather_evidence
from ds3d_pipeline.poses.diagnosis import judge
from ds3d_pipeline.poses.evidence import summarize
from ds3d_pipeline.poses.features import extract_all, fill_database
from ds3d_pipeline.poses.matches import match
from ds3d_pipeline.poses.normalize import Scale, normalize
from ds3d_pipeline.poses.placement import tell_placement
from ds3d_pipeline.program import Work
from ds3d_pipeline.records import read_json
from ds3d_pipeline.runners import clear_folder
from ds3d_pipeline.scene import Keyframes

log = logging.getLogger(__name__)


def map_with_pycolmap(work: Work[PosesOptions]) -> dict[str, Any]:
    """Writes `sparse/` and undistorted `images/`. Raises StageError where too few frames can be placed."""
    keyframes = read_json(work.input / "keyframes.json", Keyframes)
    pycolmap.set_random_seed(work.options.seed)
    scratch = clear_folder(work.output / "scratch")
    database = scratch / "database.db"
    times = [time.monotonic()]
    _find_features(work, keyframes, database)
    times.append(time.monotonic())
    work.progress(0.35, "matching")
    pairs = match(work.options, keyframes, database)
    times.append(time.monotonic())
    model, retries = _map(work, keyframes, scratch)
    times.append(time.monotonic())
    evidence = gather_evidence(database, keyframes, work.input / "images", model)
    diagnosis = judge(evidence, work.options.min_registered)
    assert model is not None, "judge raises where there is no model"
    result = _measure(model, keyframes, database) | {"pairs": pairs, "retries": retries}
    result |= {"diagnosis": asdict(diagnosis) if diagnosis else None, "evidence": summarize(evidence)}
    work.progress(0.9, "undistorting")
    scale = _write(model, work, scratch, keyframes)
    times.append(time.monotonic())
    phases = ("features", "matching", "mapping", "undistortion")
    seconds = {name: round(b - a, 2) for name, a, b in zip(phases, times, times[1:], strict=False)}
    work.progress(1.0, "done")
    return result | {"scale": scale, "seed": work.options.seed, "phase_seconds": seconds}


def _find_features(work: Work[PosesOptions], keyframes: Keyframes, database: Path) -> None:
    frames = sorted(keyframes.frames, key=lambda frame: frame.image)
    features = extract_all(
        [work.input / "images" / frame.image for frame in frames],
        max_side_px=work.options.max_side_px,
        max_features=work.options.max_features,
        report=work.progress.part(0.0, 0.35),
    )
    fill_database(database, frames, features)


def _map(
    work: Work[PosesOptions], keyframes: Keyframes, scratch: Path
) -> tuple[pycolmap.Reconstruction | None, int]:
    """The largest model, if any; once more with looser thresholds where the first try places too few."""
    total, model, retries = len(keyframes.frames), None, 0
    for retries, options in enumerate((_options(work.options.seed), _loose(work.options.seed))):
        model = _largest(work, options, clear_folder(scratch / "sparse"), total)
        if model is not None and model.num_reg_images() >= work.options.min_registered:
            break
        log.warning("too few frames placed at try %d", retries + 1)
    return model, retries


def _options(seed: int) -> pycolmap.IncrementalPipelineOptions:
    options = pycolmap.IncrementalPipelineOptions()
    options.min_model_size = 3
    options.random_seed = seed
    return options


def _loose(seed: int) -> pycolmap.IncrementalPipelineOptions:
    options = _options(seed)
    options.min_num_matches = 10
    options.mapper.init_min_num_inliers = 40
    options.mapper.init_min_tri_angle = 5.0
    options.mapper.abs_pose_min_num_inliers = 15
    options.mapper.abs_pose_min_inlier_ratio = 0.15
    return options


def _largest(
    work: Work[PosesOptions], options: pycolmap.IncrementalPipelineOptions, folder: Path, total: int
) -> pycolmap.Reconstruction | None:
    placed = 0

    def step() -> None:
        nonlocal placed
        placed += 1
        work.progress(0.5 + 0.4 * min(placed / total, 1.0), f"{placed} frames placed")

    models = pycolmap.incremental_mapping(
        folder.parent / "database.db",
        work.input / "images",
        folder,
        options=options,
        next_image_callback=step,
    )
    return max(models.values(), key=lambda m: (m.num_reg_images(), m.num_points3D()), default=None)


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
        **tell_placement(keyframes, placed),
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


def _write(
    model: pycolmap.Reconstruction, work: Work[PosesOptions], scratch: Path, keyframes: Keyframes
) -> Scale:
    """Undistorted PINHOLE images and the model in our world frame, whole or not at all; tells the unit."""
    chosen = clear_folder(scratch / "chosen")
    model.write(chosen)
    pycolmap.undistort_images(scratch / "dense", chosen, work.input / "images")
    flat = pycolmap.Reconstruction(scratch / "dense" / "sparse")
    scale = normalize(flat, keyframes.frames)
    sparse = clear_folder(work.output / "sparse")
    flat.write(sparse)
    shutil.rmtree(work.output / "images", ignore_errors=True)
    shutil.move(scratch / "dense" / "images", work.output / "images")
    shutil.rmtree(scratch)
    return scale
