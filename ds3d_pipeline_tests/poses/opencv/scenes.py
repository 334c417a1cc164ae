"""A cloud of points seen by cameras on an arc, with exact truth."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from ds3d_pipeline.poses.opencv.bundle import Problem
from ds3d_pipeline.poses.opencv.matching import PairMatches
from ds3d_pipeline.poses.opencv.model import Cameras, Tracks, project

SIZE_WH = (640, 480)
CENTRE_PX = np.array([320.0, 240.0])
FOCAL_PX, RADIAL_K = 560.0, -0.06


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Cameras (N), points (P) and where every camera sees every point."""

    rotations: np.ndarray
    translations: np.ndarray
    points: np.ndarray
    pixels: np.ndarray
    """(N, P, 2)."""


def make_cloud(cameras=6, points=150, noise_px=0.0, arc_deg=50.0, seed=0):
    random = np.random.default_rng(seed)
    in_world = random.uniform(-0.8, 0.8, (points, 3))
    turns = Rotation.from_rotvec(np.radians(np.linspace(-0.5, 0.5, cameras) * arc_deg)[:, None] * [0, 1, 0])
    turns = Rotation.from_rotvec(random.normal(0, 0.02, (cameras, 3))) * turns
    rotations = turns.as_matrix()
    translations = np.array([0, 0, 3.0]) + random.normal(0, 0.05, (cameras, 3))
    images, seen = np.indices((cameras, points)).reshape(2, -1)
    lens = np.tile([FOCAL_PX, RADIAL_K], (len(images), 1))
    centres = np.tile(CENTRE_PX, (len(images), 1))
    pixels, _ = project(rotations[images], translations[images], lens, centres, in_world[seen])
    pixels = pixels.reshape(cameras, points, 2) + random.normal(0, noise_px, (cameras, points, 2))
    return Cloud(rotations=rotations, translations=translations, points=in_world, pixels=pixels)


def problem_of(cloud):
    """The bundle adjustment of a cloud, at the truth."""
    cameras, points = cloud.pixels.shape[:2]
    seen, images = np.indices((points, cameras)).reshape(2, -1)
    return Problem(
        pixels=cloud.pixels[images, seen],
        images=images.astype(np.int32),
        points_seen=seen.astype(np.int32),
        starts=np.arange(0, points * cameras + 1, cameras, dtype=np.int32),
        camera_of_image=np.zeros(cameras, np.int32),
        centres_px=CENTRE_PX[None],
        first_focals_px=np.array([FOCAL_PX]),
        focal_sigmas=np.array([0.5]),
        rotations=cloud.rotations,
        translations=cloud.translations,
        intrinsics=np.array([[FOCAL_PX, RADIAL_K]]),
        points=cloud.points,
    )


def disturbed(problem, size=0.02, seed=1):
    """The problem with poses, points and intrinsics off the truth."""
    random = np.random.default_rng(seed)
    turns = Rotation.from_rotvec(random.normal(0, size, (len(problem.rotations), 3))).as_matrix()
    return replace(
        problem,
        rotations=turns @ problem.rotations,
        translations=problem.translations + random.normal(0, size, problem.translations.shape),
        points=problem.points + random.normal(0, size, problem.points.shape),
        intrinsics=problem.intrinsics * [1 + 4 * size, 0],
    )


def tracks_of(cloud):
    """Every point as one track."""
    cameras, points = cloud.pixels.shape[:2]
    seen, images = np.indices((points, cameras)).reshape(2, -1)
    return Tracks(
        pixels=cloud.pixels[images, seen],
        images=images.astype(np.int32),
        tracks=seen.astype(np.int32),
        starts=np.arange(0, points * cameras + 1, cameras, dtype=np.int32),
    )


def cameras_of(cloud, focal_px=FOCAL_PX):
    return Cameras(
        of_image=np.zeros(len(cloud.rotations), np.int32),
        centres_px=CENTRE_PX[None],
        focals_px=np.array([focal_px]),
        focal_sigmas=np.array([0.2]),
        sides_px=np.array([float(max(SIZE_WH))]),
    )


def matches_of(cloud):
    """All points matched in every pair, with the true fundamental matrix of the undistorted camera."""
    count, points = cloud.pixels.shape[:2]
    indices = np.repeat(np.arange(points, dtype=np.int32)[:, None], 2, axis=1)
    return [
        PairMatches(first=i, second=j, indices=indices, F=fundamental(cloud, i, j))
        for i in range(count)
        for j in range(i + 1, count)
    ]


def fundamental(cloud, first, second):
    R = cloud.rotations[second] @ cloud.rotations[first].T
    x, y, z = cloud.translations[second] - R @ cloud.translations[first]
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    inverse = np.linalg.inv([[FOCAL_PX, 0, CENTRE_PX[0]], [0, FOCAL_PX, CENTRE_PX[1]], [0, 0, 1]])
    return inverse.T @ cross @ R @ inverse


def centres(rotations, translations):
    return -np.einsum("nji,nj->ni", rotations, translations)
