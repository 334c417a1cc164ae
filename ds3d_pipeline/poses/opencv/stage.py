"""Poses without COLMAP's matching or mapping: OpenCV's geometry and our own bundle adjustment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ds3d_pipeline.poses.colmap.intrinsics import given_K
from ds3d_pipeline.poses.diagnosis.diagnosis import judge
from ds3d_pipeline.poses.diagnosis.evidence import summarize
from ds3d_pipeline.poses.diagnosis.match_matrix import write_match_matrix
from ds3d_pipeline.poses.diagnosis.opencv_evidence import gather_evidence
from ds3d_pipeline.poses.diagnosis.registration import describe_unregistered
from ds3d_pipeline.poses.matching.features import FOCAL_GUESS, Features, extract_all
from ds3d_pipeline.poses.matching.pairs import choose_pairs
from ds3d_pipeline.poses.opencv.export import write_model
from ds3d_pipeline.poses.opencv.focal import vote_focal_px
from ds3d_pipeline.poses.opencv.mapping import Mapper, by_size, grow, start, unused_pairs
from ds3d_pipeline.poses.opencv.matching import EPIPOLAR_ERROR, PairMatches, match_pairs
from ds3d_pipeline.poses.opencv.model import Cameras, Model, Tracks, point_errors_px, squared, undistort
from ds3d_pipeline.poses.opencv.tracks import build_tracks
from ds3d_pipeline.poses.opencv.two_view import first_pairs
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.poses.report import CameraModel, PosesReport
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.scene import Float64, Keyframe, Keyframes

MAX_TRIES = 3
"""Starts from different pairs until a model holds enough images."""
ENOUGH = 0.6
"""Share of the images that matched at all."""
SIGMA_GIVEN, SIGMA_EXIF, SIGMA_VOTED, SIGMA_GUESSED = 1e-4, 0.1, 0.2, 0.5
"""How far the focal length may be off, by where it is from."""


def map_with_opencv(work: Work[PosesOptions]) -> PosesReport:
    """Writes `sparse/` and undistorted `images/`. Raises StageError if too few frames are registered."""
    keyframes = read_json(work.input / "keyframes.json", Keyframes)
    frames = sorted(keyframes.frames, key=lambda frame: frame.image)
    times = [time.monotonic()]
    features = _find_features(work, frames)
    times.append(time.monotonic())
    pairs, how = choose_pairs(keyframes.kind, frames, features, work.options)
    sides = [max(frame.size_wh) for frame in frames]
    report = work.progress.part(0.3, 0.6)
    matches = match_pairs(features, pairs, sides, seed=work.options.seed, report=report)
    times.append(time.monotonic())
    mapped = _map(work, frames, features, matches)
    times.append(time.monotonic())
    images, model = work.input / "images", mapped.model
    evidence = gather_evidence(frames, images, features, matches, mapped.tracks, model)
    diagnosis = judge(evidence, work.options.min_registered)
    write_match_matrix(work.output / "matches.jpg", evidence)
    assert model is not None, "judge raises where there is no model"
    result = _measure(mapped, model, keyframes, frames)
    work.progress(0.9, "undistorting")
    scale = write_model(work.output, images, frames, mapped.tracks, mapped.cameras, model)
    times.append(time.monotonic())
    phases = ("features", "matching", "mapping", "undistortion")
    seconds = {name: round(b - a, 2) for name, a, b in zip(phases, times, times[1:], strict=False)}
    work.progress(1.0, "done")
    return replace(
        result,
        diagnosis=diagnosis,
        evidence=summarize(evidence),
        scale=scale,
        matches=_describe(matches),
        pairs=how,
        retries=mapped.retries,
        seed=work.options.seed,
        phase_seconds=seconds,
    )


@dataclass(frozen=True, kw_only=True)
class _Mapped:
    tracks: Tracks
    cameras: Cameras
    model: Model | None
    """None where no two frames start one."""
    retries: int


def _find_features(work: Work[PosesOptions], frames: Sequence[Keyframe]) -> list[Features]:
    return extract_all(
        [work.input / "images" / frame.image for frame in frames],
        max_side_px=work.options.max_side_px,
        max_features=work.options.max_features,
        report=work.progress.part(0.0, 0.3),
    )


def know_cameras(
    frames: Sequence[Keyframe], matches: Sequence[PairMatches], K: Float64 | None = None
) -> Cameras:
    """The cameras of the frames, with focal lengths from EXIF, else from the pairs, else guessed.

    `K` (3, 3), in pixels of the frames, makes them one camera without distortion.
    """
    if K is not None:
        return _given_camera(frames, K)
    _, first, of_image = np.unique([frame.camera for frame in frames], return_index=True, return_inverse=True)
    sizes = np.array([frames[index].size_wh for index in first], float)
    focals = [_focal(frames[index], camera, of_image, matches) for camera, index in enumerate(first)]
    return Cameras(
        of_image=of_image.astype(np.int32),
        centres_px=sizes / 2,
        focals_px=np.array([focal for focal, _ in focals]),
        focal_sigmas=np.array([sigma for _, sigma in focals]),
        sides_px=sizes.max(axis=1),
    )


def _given_camera(frames: Sequence[Keyframe], K: Float64) -> Cameras:
    size = np.array([frames[0].size_wh], float)
    return Cameras(
        of_image=np.zeros(len(frames), np.int32),
        centres_px=size / 2,
        focals_px=K[[0], [0]],
        focal_sigmas=np.array([SIGMA_GIVEN]),
        sides_px=size.max(axis=1),
        K=K,
    )


def _focal(
    frame: Keyframe, camera: int, of_image: np.ndarray, matches: Sequence[PairMatches]
) -> tuple[float, float]:
    """Focal length in pixels and how far it may be off."""
    if frame.focal_px is not None:
        return frame.focal_px, SIGMA_EXIF
    own = [pair for pair in matches if of_image[pair.first] == of_image[pair.second] == camera]
    side = max(frame.size_wh)
    voted = vote_focal_px(own, np.array(frame.size_wh) / 2, side)
    return (voted, SIGMA_VOTED) if voted is not None else (FOCAL_GUESS * side, SIGMA_GUESSED)


def _map(
    work: Work[PosesOptions],
    frames: Sequence[Keyframe],
    features: Sequence[Features],
    matches: Sequence[PairMatches],
) -> _Mapped:
    """The largest model of up to `MAX_TRIES` starts."""
    cameras = know_cameras(frames, matches, given_K(work.options, frames))
    keypoints = [_model_pixels(one, cameras) for one in features]
    tracks = build_tracks(keypoints, matches)
    of_image, seed = cameras.of_image, work.options.seed
    intrinsics = np.column_stack([cameras.focals_px, np.zeros(len(cameras.focals_px))])
    flat = [
        undistort(xy, cameras.centres_px[of_image[[i]]], intrinsics[of_image[[i]]])
        for i, xy in enumerate(keypoints)
    ]
    max_errors = EPIPOLAR_ERROR * (cameras.sides_px / cameras.focals_px)[of_image]
    starts = list(first_pairs(matches, flat, list(max_errors), seed=seed))

    def report(registered: int) -> None:
        work.progress(0.6 + 0.3 * registered / len(frames), f"{registered} of {len(frames)} cameras aligned")

    mapper = Mapper(tracks=tracks, cameras=cameras, seed=seed, report=report)
    matched = len({image for pair in matches for image in (pair.first, pair.second)})
    best, tries = None, 0
    while starts and tries < MAX_TRIES and (best is None or best.registered.sum() < ENOUGH * matched):
        model = grow(mapper, start(mapper, intrinsics, *starts[0]))
        best = model if best is None else max(best, model, key=by_size)
        starts, tries = unused_pairs(starts[1:], model.registered), tries + 1
    return _Mapped(tracks=tracks, cameras=cameras, model=best, retries=max(tries - 1, 0))


def _model_pixels(features: Features, cameras: Cameras) -> Float64:
    pixels = np.asarray(features.keypoints[:, :2], np.float64)
    return pixels if cameras.K is None else squared(pixels, cameras.K, cameras.centres_px[0])


def _measure(mapped: _Mapped, model: Model, keyframes: Keyframes, frames: Sequence[Keyframe]) -> PosesReport:
    cameras = mapped.cameras
    registered = {frame.image for frame, there in zip(frames, model.registered, strict=True) if there}
    errors = point_errors_px(mapped.tracks, cameras, model)
    return PosesReport(
        registered=len(registered),
        total=len(frames),
        mean_reprojection_error_px=float(errors.mean()),
        points=len(errors),
        mean_track_length=float(model.used.sum() / len(errors)),
        unregistered=tuple(frame.image for frame in keyframes.frames if frame.image not in registered),
        **vars(describe_unregistered(keyframes, registered)),
        intrinsics="focal length and distortion" if cameras.K is None else "given",
        cameras=_describe_cameras(cameras, model),
    )


def _describe_cameras(cameras: Cameras, model: Model) -> tuple[CameraModel, ...]:
    """In COLMAP's terms, of the cameras that are registered."""
    if (K := cameras.K) is not None:
        return (_camera("PINHOLE", K[0, 0], K[1, 1], K[0, 2], K[1, 2]),)
    return tuple(
        _camera("SIMPLE_RADIAL", f, *cameras.centres_px[camera], k)
        for camera, (f, k) in enumerate(model.intrinsics)
        if model.registered[cameras.of_image == camera].any()
    )


def _camera(model: str, *params: float) -> CameraModel:
    return CameraModel(model=model, params=tuple(np.round(params, 4).tolist()))


def _describe(matches: Sequence[PairMatches]) -> str:
    """How well the pairs matched, in words with numbers."""
    if not matches:
        return "no pair of frames matched"
    median = np.median([len(pair.indices) for pair in matches])
    return f"{len(matches)} matched pairs, median {median:.0f} matches"
