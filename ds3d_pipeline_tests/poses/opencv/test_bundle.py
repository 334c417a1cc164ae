"""Bundle adjustment against finite differences, scipy and the truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from ds3d_pipeline.geometry.alignment import align_sim3
from ds3d_pipeline.poses.opencv.bundle import HUBER_PX, adjust, jacobian, residuals, total_cost
from ds3d_pipeline.poses.opencv.schur import reduce_points
from ds3d_pipeline_tests.poses.opencv.scenes import (
    FOCAL_PX,
    RADIAL_K,
    centres,
    disturbed,
    make_cloud,
    problem_of,
)


def moved(problem, step):
    """The problem after a step of all unknowns: poses, lens, points."""
    count = len(problem.rotations)
    poses, lens, points = np.split(step, [6 * count, 6 * count + 2])
    poses = poses.reshape(count, 6)
    return replace(
        problem,
        rotations=Rotation.from_rotvec(poses[:, :3]).as_matrix() @ problem.rotations,
        translations=problem.translations + poses[:, 3:],
        intrinsics=problem.intrinsics + lens,
        points=problem.points + points.reshape(-1, 3),
    )


def dense_jacobian(problem):
    """(2 M, unknowns) from the blocks."""
    count, points = len(problem.rotations), len(problem.points)
    by_camera, by_point = jacobian(problem)
    J = np.zeros((len(problem.images), 2, 6 * count + 2 + 3 * points))
    for m, (image, point) in enumerate(zip(problem.images, problem.points_seen, strict=True)):
        J[m, :, 6 * image : 6 * image + 6] = by_camera[m, :, :6]
        J[m, :, 6 * count : 6 * count + 2] = by_camera[m, :, 6:]
        J[m, :, 6 * count + 2 + 3 * point :][:, :3] = by_point[m]
    return J.reshape(-1, J.shape[2])


def test_jacobian_is_that_of_finite_differences():
    problem = disturbed(problem_of(make_cloud(cameras=3, points=8)))
    problem = replace(problem, intrinsics=np.array([[540.0, -0.1]]))
    unknowns = 6 * 3 + 2 + 3 * 8
    plain = np.empty((2 * len(problem.images), unknowns))
    for column, step in enumerate(1e-6 * np.eye(unknowns)):
        difference = residuals(moved(problem, step)) - residuals(moved(problem, -step))
        plain[:, column] = difference.ravel() / 2e-6
    np.testing.assert_allclose(dense_jacobian(problem), plain, atol=2e-5 * np.abs(plain).max())


def test_reduced_system_is_the_schur_complement():
    problem = disturbed(problem_of(make_cloud(cameras=3, points=9)))
    J, r = dense_jacobian(problem), residuals(problem).ravel()
    damping, size = 0.01, 6 * 3 + 2
    normal = J.T @ J
    camera, mixed, point = normal[:size, :size], normal[:size, size:], normal[size:, size:]
    point = point + damping * np.diag(np.diag(point))
    right = -J.T @ r
    expected = camera - mixed @ np.linalg.solve(point, mixed.T)
    expected_right = right[:size] - mixed @ np.linalg.solve(point, right[size:])
    by_camera, by_point = jacobian(problem)
    columns = np.concatenate(
        [6 * problem.images[:, None] + np.arange(6), np.tile([18, 19], (len(problem.images), 1))], axis=1
    )
    system, reduced_right, diagonal = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    inverses, halves = reduce_points(
        problem.starts,
        columns.astype(np.int32),
        by_camera,
        by_point,
        residuals(problem),
        damping,
        system,
        reduced_right,
        diagonal,
    )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.tril(system) + np.diag(diagonal), np.tril(expected), atol=1e-9 * scale)
    np.testing.assert_allclose(reduced_right, expected_right, atol=1e-9 * np.abs(expected_right).max())
    np.testing.assert_allclose(inverses[4], np.linalg.inv(point[12:15, 12:15]), rtol=1e-6)
    np.testing.assert_allclose(halves.ravel(), right[size:])


def test_exact_observations_bring_back_the_truth():
    cloud = make_cloud()
    adjusted, report = adjust(disturbed(problem_of(cloud)), max_iterations=60, tolerance=1e-12)
    assert report.last_cost < 1e-3 * report.first_cost
    # Not 0: the prior pulls the radial term a little.
    assert np.abs(residuals(adjusted)).max() < 0.02
    assert adjusted.intrinsics[0, 0] == pytest.approx(FOCAL_PX, rel=1e-3)
    assert adjusted.intrinsics[0, 1] == pytest.approx(RADIAL_K, abs=1e-3)
    assert centre_error(adjusted, cloud) < 1e-3


def test_outliers_hardly_pull():
    cloud = make_cloud(noise_px=0.4)
    problem = disturbed(problem_of(cloud))
    random = np.random.default_rng(2)
    wrong = random.choice(len(problem.pixels), len(problem.pixels) // 20, replace=False)
    pixels = problem.pixels.copy()
    pixels[wrong] += random.uniform(-60, 60, (len(wrong), 2))
    adjusted, _ = adjust(replace(problem, pixels=pixels), max_iterations=60, tolerance=1e-6)
    assert centre_error(adjusted, cloud) < 0.01
    assert adjusted.intrinsics[0, 0] == pytest.approx(FOCAL_PX, rel=0.01)
    lengths = np.linalg.norm(residuals(adjusted), axis=1)
    right = np.setdiff1d(np.arange(len(pixels)), wrong)
    assert np.median(lengths[right]) < 0.6
    assert np.mean(lengths[wrong] > 5) > 0.9


def test_scipy_finds_no_lower_minimum():
    problem = disturbed(problem_of(make_cloud(cameras=4, points=25, noise_px=0.7)), size=0.01)
    adjusted, _ = adjust(problem, max_iterations=100, tolerance=1e-12)

    def lengths_as_residuals(step):
        """Of which scipy's Huber loss is ours: one residual per observation."""
        return np.linalg.norm(residuals(moved(adjusted, step)), axis=1)

    start = np.full(6 * 4 + 2 + 3 * 25, 1e-9)
    polished = least_squares(lengths_as_residuals, start, loss="huber", f_scale=HUBER_PX, max_nfev=20)
    prior = total_cost(adjusted) - 2 * scipy_cost(lengths_as_residuals(0 * start))
    assert total_cost(adjusted) - prior == pytest.approx(2 * polished.cost, rel=1e-3)


def scipy_cost(lengths):
    return 0.5 * np.where(lengths < HUBER_PX, lengths**2, HUBER_PX * (2 * lengths - HUBER_PX)).sum()


def test_intrinsics_stay_where_they_must():
    problem = replace(disturbed(problem_of(make_cloud())), refine_intrinsics=False)
    adjusted, _ = adjust(problem)
    np.testing.assert_array_equal(adjusted.intrinsics, problem.intrinsics)
    assert total_cost(adjusted) < total_cost(problem)


def centre_error(problem, cloud):
    """Mean after alignment, in units of the path's extent."""
    truth = centres(cloud.rotations, cloud.translations)
    found = centres(problem.rotations, problem.translations)
    error = np.linalg.norm(align_sim3(found, truth).apply(found) - truth, axis=1).mean()
    return error / np.linalg.norm(np.ptp(truth, axis=0))
