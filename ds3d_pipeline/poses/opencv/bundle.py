"""Bundle adjustment: Levenberg-Marquardt on the reduced camera system (Triggs et al. 2000).

Poses change by `R <- exp(w) R`, `t <- t + dt`; focal length and radial term are shared by the images of a
camera. The loss is Huber's, by reweighting. Points are eliminated (Schur complement), so that each step
solves one dense system of 6 unknowns per image and 2 per camera. `scipy.optimize.least_squares` reaches the
same minimum (see the tests), but takes an iterative solver for each step and many more of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.spatial.transform import Rotation

from ds3d_pipeline.poses.opencv.model import Bool, project
from ds3d_pipeline.scene import Float64, Int32

HUBER_PX = 1.0
"""Residuals above count by their length, not its square."""
SIGMA_K = 0.2
"""How far the radial term may be from 0 where the observations do not tell."""
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
    """Derivatives of `residuals`: (M, 2, 8) by w, dt, f, k of the observation's camera, (M, 2, 3) by the point."""
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


@njit(cache=True, error_model="numpy")
def reduce_points(
    starts: Int32,
    columns: Int32,
    by_camera: Float64,
    by_point: Float64,
    residuals: Float64,
    damping: float,
    system: Float64,
    right: Float64,
    diagonal: Float64,
) -> tuple[Float64, Float64]:
    """Adds to the lower half of `system`, to `right` and to `diagonal` what is left without the points.

    The diagonal of the camera block goes into `diagonal`, for the caller to damp. Returns the points' inverse
    blocks (P, 3, 3) and right sides (P, 3).
    """
    count = len(starts) - 1
    inverses, halves = np.empty((count, 3, 3)), np.empty((count, 3))
    longest = 0
    for p in range(count):
        longest = max(longest, starts[p + 1] - starts[p])
    mixed, solved = np.empty((longest, 8, 3)), np.empty((longest, 8, 3))
    for p in range(count):
        low, high = starts[p], starts[p + 1]
        block, half = np.zeros((3, 3)), np.zeros(3)
        for m in range(low, high):
            for r in range(2):
                for i in range(3):
                    half[i] -= by_point[m, r, i] * residuals[m, r]
                    for j in range(3):
                        block[i, j] += by_point[m, r, i] * by_point[m, r, j]
        for i in range(3):
            block[i, i] += damping * block[i, i] + 1e-12
        inverse = _inverse(block)
        inverses[p], halves[p] = inverse, half
        for m in range(low, high):
            _mix(by_camera[m], by_point[m], inverse, mixed[m - low], solved[m - low])
            _add_own(columns[m], by_camera[m], residuals[m], system, right, diagonal)
            for a in range(8):
                for i in range(3):
                    right[columns[m, a]] -= solved[m - low, a, i] * half[i]
        for m in range(high - low):
            for n in range(high - low):
                _subtract(columns[low + m], columns[low + n], solved[m], mixed[n], system)
    return inverses, halves


@njit(cache=True, inline="always")
def _mix(by_camera: Float64, by_point: Float64, inverse: Float64, mixed: Float64, solved: Float64) -> None:
    for a in range(8):
        for i in range(3):
            mixed[a, i] = by_camera[0, a] * by_point[0, i] + by_camera[1, a] * by_point[1, i]
        for i in range(3):
            solved[a, i] = (
                mixed[a, 0] * inverse[0, i] + mixed[a, 1] * inverse[1, i] + mixed[a, 2] * inverse[2, i]
            )


@njit(cache=True, inline="always")
def _add_own(
    columns: Int32,
    by_camera: Float64,
    residual: Float64,
    system: Float64,
    right: Float64,
    diagonal: Float64,
) -> None:
    for a in range(8):
        row = columns[a]
        right[row] -= by_camera[0, a] * residual[0] + by_camera[1, a] * residual[1]
        diagonal[row] += by_camera[0, a] ** 2 + by_camera[1, a] ** 2
        for b in range(a):
            # Columns rise within an observation, so this is the lower half.
            system[row, columns[b]] += by_camera[0, a] * by_camera[0, b] + by_camera[1, a] * by_camera[1, b]


@njit(cache=True, inline="always")
def _subtract(rows: Int32, columns: Int32, solved: Float64, mixed: Float64, system: Float64) -> None:
    for a in range(8):
        row = rows[a]
        for b in range(8):
            if columns[b] <= row:
                system[row, columns[b]] -= (
                    solved[a, 0] * mixed[b, 0] + solved[a, 1] * mixed[b, 1] + solved[a, 2] * mixed[b, 2]
                )


@njit(cache=True, inline="always", error_model="numpy")
def _inverse(m: Float64) -> Float64:
    """The inverse of a symmetric (3, 3) matrix by its cofactors."""
    c = np.empty((3, 3))
    c[0, 0] = m[1, 1] * m[2, 2] - m[1, 2] * m[1, 2]
    c[0, 1] = m[0, 2] * m[1, 2] - m[0, 1] * m[2, 2]
    c[0, 2] = m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]
    c[1, 1] = m[0, 0] * m[2, 2] - m[0, 2] * m[0, 2]
    c[1, 2] = m[0, 1] * m[0, 2] - m[0, 0] * m[1, 2]
    c[2, 2] = m[0, 0] * m[1, 1] - m[0, 1] * m[0, 1]
    c[1, 0], c[2, 0], c[2, 1] = c[0, 1], c[0, 2], c[1, 2]
    return c / (m[0, 0] * c[0, 0] + m[0, 1] * c[0, 1] + m[0, 2] * c[0, 2])


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


def outliers(problem: Problem, max_error_px: float) -> Bool:
    """(M,) observations further off than `max_error_px`, or behind their camera."""
    pixels, depth = project(*_values(problem))
    return (np.linalg.norm(pixels - problem.pixels, axis=1) > max_error_px) | (depth <= 0)
