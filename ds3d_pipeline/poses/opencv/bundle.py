"""Bundle adjustment: Levenberg-Marquardt on the reduced camera system (Triggs et al. 2000).

Poses change by `R <- exp(w) R`, `t <- t + dt`; focal length and radial term are shared by the images of a
camera. The loss is Huber's, by reweighting. Points are eliminated (Schur complement), so that each step
solves one dense system of 6 unknowns per image and 2 per camera. `scipy.optimize.least_squares` reaches the
same minimum (see the tests), but takes an iterative solver for each step and many more of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.spatial.transform import Rotation

from ds3d_pipeline.poses.opencv.model import project
from ds3d_pipeline.poses.opencv.schur import reduce_points
from ds3d_pipeline.scene import Float64, Int32

HUBER_PX = 1.0
"""Residuals above count by their length, not its square."""
SIGMA_K = 0.2
"""How far the radial term may be from 0 if the observations do not determine it."""
FIRST_DAMPING = 1e-4
MAX_DAMPING = 1e6


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Observations, and the values that are to explain them."""

    pixels: Float64
    """(M, 2)."""
    images: Int32
    """(M,)."""
    points_seen: Int32
    """(M,) ascending."""
    starts: Int32
    """(P + 1,) where each point's observations begin."""
    camera_of_image: Int32
    """(N,)."""
    centres_px: Float64
    """(C, 2)."""
    first_focals_px: Float64
    """(C,) with `focal_sigmas` a weak prior."""
    focal_sigmas: Float64
    rotations: Float64
    """(N, 3, 3)."""
    translations: Float64
    """(N, 3)."""
    intrinsics: Float64
    """(C, 2)."""
    points: Float64
    """(P, 3)."""
    refine_intrinsics: bool = True


@dataclass(frozen=True, kw_only=True)
class BundleReport:
    """How the adjustment went."""

    iterations: int
    first_cost: float
    last_cost: float


def adjust(
    problem: Problem, *, max_iterations: int = 20, tolerance: float = 1e-4
) -> tuple[Problem, BundleReport]:
    """The problem with better values; ends when a step lowers the cost by less than `tolerance` of it."""
    cost = first_cost = total_cost(problem)
    damping, iteration = FIRST_DAMPING, 0
    for iteration in range(1, max_iterations + 1):  # noqa: B007
        linear = _linearize(problem)
        better, damping = _descend(problem, linear, cost, damping)
        if better is None:
            break
        previous, problem, cost = cost, better, total_cost(better)
        if previous - cost < tolerance * previous:
            break
    return problem, BundleReport(iterations=iteration, first_cost=first_cost, last_cost=cost)


def _descend(problem: Problem, linear: _Linear, cost: float, damping: float) -> tuple[Problem | None, float]:
    """The first step that lowers the cost, with the damping for the next; None where none does."""
    while damping < MAX_DAMPING:
        step = _solve(problem, linear, damping)
        if step is not None:
            moved = _moved(problem, *step)
            if total_cost(moved) < cost:
                return moved, max(damping / 5, 1e-9)
        damping *= 4
    return None, damping


def residuals(problem: Problem) -> Float64:
    """(M, 2) seen minus measured pixels; a point behind its camera mirrors through it."""
    pixels, _ = project(*_values(problem))
    return pixels - problem.pixels


def jacobian(problem: Problem) -> tuple[Float64, Float64]:
    """Derivatives of `residuals`: (M, 2, 8) by w, dt, f and k of the camera, (M, 2, 3) by the point."""
    rotations, translations, intrinsics, _, points = _values(problem)
    turned = np.einsum("mij,mj->mi", rotations, points)
    x, y, z = (turned + translations).T
    z = np.where(np.abs(z) > 1e-12, z, 1e-12)
    u, v = x / z, y / z
    f, k = intrinsics.T
    r2 = u * u + v * v
    stretch = 1 + k * r2
    # By u and v, then by the point in the camera frame.
    by_uv = f[:, None, None] * np.stack(
        [
            np.stack([stretch + 2 * k * u * u, 2 * k * u * v], -1),
            np.stack([2 * k * u * v, stretch + 2 * k * v * v], -1),
        ],
        1,
    )
    zero = np.zeros_like(z)
    uv_by_cam = np.stack([np.stack([1 / z, zero, -u / z], -1), np.stack([zero, 1 / z, -v / z], -1)], 1)
    by_cam = by_uv @ uv_by_cam
    by_camera = np.empty((len(z), 2, 8))
    by_camera[:, :, :3] = np.cross(turned[:, None, :], by_cam)
    by_camera[:, :, 3:6] = by_cam
    by_camera[:, 0, 6], by_camera[:, 1, 6] = stretch * u, stretch * v
    by_camera[:, 0, 7], by_camera[:, 1, 7] = f * r2 * u, f * r2 * v
    return by_camera, by_cam @ rotations


def total_cost(problem: Problem) -> float:
    """Sum of Huber's loss over the observations, and of the priors."""
    length = np.linalg.norm(residuals(problem), axis=1)
    huber = np.where(length < HUBER_PX, length**2, HUBER_PX * (2 * length - HUBER_PX))
    prior, sigma = _priors(problem)
    return float(huber.sum() + ((problem.intrinsics - prior) ** 2 / sigma**2).sum())


@dataclass(frozen=True, kw_only=True)
class _Linear:
    """The weighted problem around its values."""

    by_camera: Float64
    by_point: Float64
    residuals: Float64
    columns: Int32
    """(M, 8) unknowns of the reduced system that an observation touches."""


def _linearize(problem: Problem) -> _Linear:
    found = residuals(problem)
    length = np.linalg.norm(found, axis=1)
    weight = np.sqrt(HUBER_PX / np.maximum(length, HUBER_PX))[:, None, None]
    by_camera, by_point = jacobian(problem)
    if not problem.refine_intrinsics:
        by_camera[:, :, 6:] = 0
    pose = 6 * problem.images[:, None] + np.arange(6)
    camera = problem.camera_of_image[problem.images][:, None]
    own = 6 * len(problem.rotations) + 2 * camera + np.arange(2)
    return _Linear(
        by_camera=weight * by_camera,
        by_point=weight * by_point,
        residuals=weight[:, :, 0] * found,
        columns=np.concatenate([pose, own], axis=1).astype(np.int32),
    )


def _solve(problem: Problem, linear: _Linear, damping: float) -> tuple[Float64, Float64] | None:
    """The damped Gauss-Newton step of cameras (6 N + 2 C,) and points (P, 3); None where it is singular."""
    size = 6 * len(problem.rotations) + 2 * len(problem.intrinsics)
    system, right = np.zeros((size, size)), np.zeros(size)
    prior, sigma = _priors(problem)
    start = 6 * len(problem.rotations)
    weights = (1 / sigma**2).ravel()
    diagonal = np.zeros(size)
    diagonal[start:] = weights
    right[start:] = weights * (prior - problem.intrinsics).ravel()
    inverses, halves = reduce_points(
        problem.starts,
        linear.columns,
        linear.by_camera,
        linear.by_point,
        linear.residuals,
        damping,
        system,
        right,
        diagonal,
    )
    system[np.diag_indices(size)] += diagonal * (1 + damping) + 1e-12
    try:
        cameras = cho_solve(cho_factor(system, lower=True, check_finite=False), right, check_finite=False)
    except LinAlgError:
        return None
    along = np.einsum("mij,mj->mi", linear.by_camera, cameras[linear.columns])
    pulled = np.einsum("mij,mi->mj", linear.by_point, along)
    summed = np.add.reduceat(pulled, problem.starts[:-1], axis=0)
    return cameras, np.einsum("pij,pj->pi", inverses, halves - summed)


def _moved(problem: Problem, cameras: Float64, points: Float64) -> Problem:
    count = len(problem.rotations)
    poses = cameras[: 6 * count].reshape(count, 6)
    return replace(
        problem,
        rotations=Rotation.from_rotvec(poses[:, :3]).as_matrix() @ problem.rotations,
        translations=problem.translations + poses[:, 3:],
        intrinsics=problem.intrinsics + cameras[6 * count :].reshape(-1, 2) * problem.refine_intrinsics,
        points=problem.points + points,
    )


def _priors(problem: Problem) -> tuple[Float64, Float64]:
    """(C, 2) expected intrinsics and how far they may be off."""
    focals = problem.first_focals_px
    expected = np.column_stack([focals, np.zeros_like(focals)])
    return expected, np.column_stack([problem.focal_sigmas * focals, np.full_like(focals, SIGMA_K)])


def _values(problem: Problem) -> tuple[Float64, Float64, Float64, Float64, Float64]:
    """What `project` takes, for every observation."""
    camera = problem.camera_of_image[problem.images]
    return (
        problem.rotations[problem.images],
        problem.translations[problem.images],
        problem.intrinsics[camera],
        problem.centres_px[camera],
        problem.points[problem.points_seen],
    )
