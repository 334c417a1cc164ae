"""Incremental mapping: two views first, then image after image, with bundle adjustment as the model grows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ds3d_pipeline.poses.opencv.bundle import Problem, adjust
from ds3d_pipeline.poses.opencv.matching import PairMatches
from ds3d_pipeline.poses.opencv.model import Bool, Cameras, Model, Tracks, errors_px, normalized
from ds3d_pipeline.poses.opencv.triangulation import MIN_ANGLE_DEG, triangulate, widest_angles_deg
from ds3d_pipeline.poses.opencv.two_view import RelativePose
from ds3d_pipeline.poses.opencv.usac import estimate
from ds3d_pipeline.scene import Float64, Int32

MIN_INLIERS = 15
MIN_INLIER_RATIO = 0.25
UNIT_PX = 1000.0
"""Focal length that OpenCV sees: it counts errors in pixels."""


def resect(points: Float64, xy: Float64, max_error: float, *, seed: int) -> tuple[Float64, Float64] | None:
    """cam_from_world (3, 3) and (3,) from points (M, 3) and where they are on z = 1 (M, 2), some wrong.

    `max_error` is a distance on z = 1. None where too few points agree.
    """
    if len(points) < MIN_INLIERS:
        return None
    K = np.diag([UNIT_PX, UNIT_PX, 1.0])
    pixels, lens = xy * UNIT_PX, np.zeros(4)
    answer = estimate(
        lambda params: cv2.solvePnPRansac(points, pixels, K, lens, params=params), max_error * UNIT_PX, seed
    )
    if answer is None or not answer[0] or answer[4] is None:
        return None
    _, _, turn, shift, inliers = answer
    rows = np.asarray(inliers.ravel(), np.int64)
    if len(rows) < max(MIN_INLIERS, MIN_INLIER_RATIO * len(points)):
        return None
    turn, shift = cv2.solvePnPRefineLM(points[rows], pixels[rows], K, lens, turn, shift)
    return np.asarray(cv2.Rodrigues(turn)[0], np.float64), np.asarray(shift, np.float64).ravel()


GROWTH = 1.3
"""The model grows by this factor between two bundle adjustments."""
MAX_ERROR = 0.0025
"""Reprojection error of an observation that is used, as a fraction of the longer side: 4 px at 1600 px."""
LOOSE = 2.0
"""Factor on `MAX_ERROR` while the model grows."""
RESECTION_ERROR = 0.005
MIN_OBSERVATIONS = 15
"""An image that sees fewer points is taken out again."""
MIN_TO_REFINE_LENS = 3
FINAL_ROUNDS = 4
SETTLED = 0.002
"""Share of observations that change sides below which the model is final."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Mapper:
    """Everything that stays the same while one model grows."""

    tracks: Tracks
    cameras: Cameras
    seed: int
    report: Callable[[int], None]
    """Called with the number of images registered so far."""

    @property
    def max_error_px(self) -> float:
        """Of an observation in the final model."""
        return MAX_ERROR * float(self.cameras.sides_px.max())


def start(mapper: Mapper, intrinsics: np.ndarray, pair: PairMatches, pose: RelativePose) -> Model:
    """The model of two views."""
    count = len(mapper.cameras.of_image)
    model = Model(
        rotations=np.tile(np.eye(3), (count, 1, 1)),
        translations=np.zeros((count, 3)),
        registered=np.zeros(count, bool),
        intrinsics=intrinsics.copy(),
        points=np.full((len(mapper.tracks), 3), np.nan),
        used=np.zeros(len(mapper.tracks.images), bool),
    )
    model = _place(model, pair.first, np.eye(3), np.zeros(3))
    model = _place(model, pair.second, pose.rotation, pose.translation)
    return refine(mapper, settle(mapper, model, LOOSE), LOOSE)


def grow(mapper: Mapper, model: Model) -> Model:
    """Places every image that the model can hold; the final adjustment included."""
    failed_with = np.zeros(len(model.registered), int)
    while True:
        before = int(model.registered.sum())
        model = _place_batch(mapper, model, failed_with)
        if model.registered.sum() == before:
            break
        model = refine(mapper, model, LOOSE)
        mapper.report(int(model.registered.sum()))
        if model.registered.sum() <= before:
            break
    return finish(mapper, model)


def finish(mapper: Mapper, model: Model) -> Model:
    """Adjusts with the final bound on errors until the set of observations settles."""
    model = settle(mapper, model, 1.0)
    for _ in range(FINAL_ROUNDS):
        used = model.used
        model = refine(mapper, model, 1.0)
        if np.mean(used != model.used) < SETTLED:
            break
    return model


def _place(model: Model, image: int, rotation: np.ndarray, translation: np.ndarray) -> Model:
    rotations, translations = model.rotations.copy(), model.translations.copy()
    registered = model.registered.copy()
    rotations[image], translations[image], registered[image] = rotation, translation, True
    return replace(model, rotations=rotations, translations=translations, registered=registered)


def _place_batch(mapper: Mapper, model: Model, failed_with: np.ndarray) -> Model:
    """Places images, those that see most points first, until the model has grown enough.

    `failed_with` (N,): points that an image saw when it could not be registered; it is tried again with more.
    """
    goal = max(int(GROWTH * model.registered.sum()), int(model.registered.sum()) + 1)
    while model.registered.sum() < goal:
        seen = visible_points(mapper.tracks, model)
        seen[model.registered | (seen <= 1.1 * failed_with)] = 0
        image = int(seen.argmax())
        if seen[image] < MIN_OBSERVATIONS:
            break
        pose = _resect(mapper, model, image)
        if pose is None:
            failed_with[image] = seen[image]
            continue
        failed_with[image] = 0
        model = settle(mapper, _place(model, image, *pose), LOOSE, only_image=image)
    return model


def visible_points(tracks: Tracks, model: Model) -> np.ndarray:
    """(N,) how many points each image has a feature of."""
    there = np.isfinite(model.points[tracks.tracks, 0])
    return np.bincount(tracks.images[there], minlength=len(model.registered))


def _resect(mapper: Mapper, model: Model, image: int) -> tuple[np.ndarray, np.ndarray] | None:
    tracks, cameras = mapper.tracks, mapper.cameras
    rows = np.flatnonzero((tracks.images == image) & np.isfinite(model.points[tracks.tracks, 0]))
    xy = normalized(_only(tracks, rows), cameras, model.intrinsics)
    camera = cameras.of_image[image]
    max_error = RESECTION_ERROR * cameras.sides_px[camera] / model.intrinsics[camera, 0]
    return resect(model.points[tracks.tracks[rows]], xy, float(max_error), seed=mapper.seed)


def _only(tracks: Tracks, rows: np.ndarray) -> Tracks:
    """Some observations, as tracks of which only pixels and images are asked."""
    return replace(tracks, pixels=tracks.pixels[rows], images=tracks.images[rows], tracks=tracks.tracks[rows])


def settle(mapper: Mapper, model: Model, factor: float, only_image: int | None = None) -> Model:
    """Decides anew which observations are used, drops weak points and triangulates missing ones.

    With `only_image` new points come from tracks of that image only.
    """
    max_error_px = factor * mapper.max_error_px
    model = _without_weak_points(mapper, model, max_error_px)
    wanted = np.isnan(model.points[:, 0])
    if only_image is not None:
        seen = np.zeros(len(mapper.tracks), bool)
        seen[mapper.tracks.tracks[mapper.tracks.images == only_image]] = True
        wanted &= seen
    points = triangulate(mapper.tracks, mapper.cameras, model, wanted, max_error_px)
    return _without_weak_points(mapper, replace(model, points=points), max_error_px)


def _without_weak_points(mapper: Mapper, model: Model, max_error_px: float) -> Model:
    tracks = mapper.tracks
    model = replace(model, used=errors_px(tracks, mapper.cameras, model) < max_error_px)
    weak = np.bincount(tracks.tracks[model.used], minlength=len(tracks)) < 2
    weak |= widest_angles_deg(tracks, model) < MIN_ANGLE_DEG
    points = np.where(weak[:, None], np.nan, model.points)
    return replace(model, points=points, used=model.used & ~weak[tracks.tracks])


def refine(mapper: Mapper, model: Model, factor: float) -> Model:
    """Bundle adjustment of the whole model, then a new choice of observations and images."""
    problem, images, points, cameras = _problem(mapper, model)
    problem, report = adjust(problem)
    log.info("%d images, %d observations: %s", len(images), len(problem.pixels), report)
    rotations, translations = model.rotations.copy(), model.translations.copy()
    moved, intrinsics = model.points.copy(), model.intrinsics.copy()
    rotations[images], translations[images] = problem.rotations, problem.translations
    moved[points], intrinsics[cameras] = problem.points, problem.intrinsics
    model = replace(
        model, rotations=rotations, translations=translations, points=moved, intrinsics=intrinsics
    )
    return settle(mapper, _without_weak_images(mapper, model, factor), factor)


def _without_weak_images(mapper: Mapper, model: Model, factor: float) -> Model:
    used = errors_px(mapper.tracks, mapper.cameras, model) < factor * mapper.max_error_px
    seen = np.bincount(mapper.tracks.images[used], minlength=len(model.registered))
    return replace(model, registered=model.registered & (seen >= MIN_OBSERVATIONS))


def _problem(mapper: Mapper, model: Model) -> tuple[Problem, Int32, Int32, Int32]:
    """The used part, numbered without gaps, and the numbers of its images, points and cameras."""
    tracks, known = mapper.tracks, mapper.cameras
    rows = np.flatnonzero(model.used)
    images = np.flatnonzero(model.registered).astype(np.int32)
    points, point_of_row, counts = np.unique(tracks.tracks[rows], return_inverse=True, return_counts=True)
    cameras, camera_of_image = np.unique(known.of_image[images], return_inverse=True)
    image_number = np.cumsum(model.registered) - 1
    problem = Problem(
        pixels=tracks.pixels[rows],
        images=image_number[tracks.images[rows]].astype(np.int32),
        points_seen=point_of_row.astype(np.int32),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        camera_of_image=camera_of_image.astype(np.int32),
        centres_px=known.centres_px[cameras],
        first_focals_px=known.focals_px[cameras],
        focal_sigmas=known.focal_sigmas[cameras],
        rotations=model.rotations[images],
        translations=model.translations[images],
        intrinsics=model.intrinsics[cameras],
        points=model.points[points],
        refine_intrinsics=known.K is None and len(images) >= MIN_TO_REFINE_LENS,
    )
    return problem, images, points.astype(np.int32), cameras.astype(np.int32)


def by_size(model: Model) -> tuple[int, int]:
    """More images first, then more points."""
    return int(model.registered.sum()), int(np.isfinite(model.points[:, 0]).sum())


def unused_pairs(
    pairs: Sequence[tuple[PairMatches, RelativePose]], registered: Bool
) -> list[tuple[PairMatches, RelativePose]]:
    """The pairs of which no image is registered yet."""
    return [one for one in pairs if not (registered[one[0].first] or registered[one[0].second])]
