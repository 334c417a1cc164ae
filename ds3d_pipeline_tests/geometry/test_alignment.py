"""Similarities found again from points they moved, exact, noisy and with outliers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ds3d_pipeline.geometry.alignment import Sim3, align_sim3, align_sim3_robust
from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.geometry.transforms import rigid, rotation_angle_deg

SEEDS = range(25)


def random_sim3(random):
    R = Rotation.random(rng=random).as_matrix()
    return Sim3(scale=float(np.exp(random.uniform(-3, 3))), R=R, t=10 * random.normal(size=3))


def assert_same(actual, expected, tolerance):
    assert actual.scale == pytest.approx(expected.scale, rel=tolerance)
    assert rotation_angle_deg(actual.R @ expected.R.T) < np.degrees(tolerance) * 10
    np.testing.assert_allclose(actual.t, expected.t, atol=tolerance * 100 * max(1, expected.scale))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [3, 4, 50])
def test_exact_pairs_give_the_similarity_back(seed, count):
    random = np.random.default_rng(seed)
    truth, source = random_sim3(random), random.normal(size=(count, 3))
    assert_same(align_sim3(source, truth.apply(source)), truth, 1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_points_in_a_plane_do_not_become_a_mirror_image(seed):
    random = np.random.default_rng(seed)
    truth, source = random_sim3(random), random.normal(size=(20, 3)) * [1, 1, 0]
    found = align_sim3(source, truth.apply(source))
    assert np.linalg.det(found.R) == pytest.approx(1)
    assert_same(found, truth, 1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_result_is_the_least_squares_minimum(seed):
    random = np.random.default_rng(seed)
    truth, source = random_sim3(random), random.normal(size=(30, 3))
    target = truth.apply(source) + 0.2 * truth.scale * random.normal(size=(30, 3))
    found = align_sim3(source, target)

    def cost(model):
        return ((model.apply(source) - target) ** 2).sum()

    for _ in range(20):
        turn = Rotation.from_rotvec(1e-3 * random.normal(size=3)).as_matrix()
        nudged = Sim3(
            scale=found.scale * (1 + 1e-3 * random.normal()),
            R=turn @ found.R,
            t=found.t + 1e-3 * found.scale * random.normal(size=3),
        )
        assert cost(nudged) > cost(found)


def test_a_mirror_image_is_met_with_the_best_rotation():
    source = np.random.default_rng(0).normal(size=(10, 3))
    found = align_sim3(source, source * [1, 1, -1])
    assert np.linalg.det(found.R) == pytest.approx(1)
    assert found.scale < 1


@pytest.mark.parametrize("seed", SEEDS)
def test_robust_alignment_ignores_outliers(seed):
    random = np.random.default_rng(seed)
    truth, source = random_sim3(random), random.normal(size=(40, 3))
    target = truth.apply(source)
    target[:15] += truth.scale * random.normal(scale=5, size=(15, 3))
    found, inliers = align_sim3_robust(source, target, max_error=1e-6 * truth.scale, seed=seed)
    assert inliers[15:].all()
    assert not inliers[:15].any()
    assert_same(found, truth, 1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_inverse_undoes_the_similarity(seed):
    random = np.random.default_rng(seed)
    model, points = random_sim3(random), random.normal(size=(5, 3))
    np.testing.assert_allclose(model.inverse().apply(model.apply(points)), points, atol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_moved_cameras_see_moved_points_at_the_same_pixels(seed):
    random = np.random.default_rng(seed)
    target_from_source = random_sim3(random)
    cam_from_source = rigid(Rotation.random(rng=random).as_matrix(), random.normal(size=3))
    points = random.normal(size=(50, 3))
    K = np.array([[50.0, 0, 31], [0, 50, 20], [0, 0, 1]])
    uv, depth = project(K, cam_from_source, points)
    cam_from_target = target_from_source.cam_from_target(cam_from_source)
    moved_uv, moved_depth = project(K, cam_from_target, target_from_source.apply(points))
    np.testing.assert_allclose(moved_uv, uv, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moved_depth, depth * target_from_source.scale, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((2, 3)),
        np.zeros((5, 3)),
        np.outer(np.arange(5), [1.0, 2, 3]),
        np.full((4, 3), np.nan),
        np.zeros((5, 2)),
    ],
)
def test_too_few_or_degenerate_points_are_refused(source):
    with pytest.raises(ValueError, match=r"."):
        align_sim3(source, source)


def test_robust_alignment_refuses_pairs_that_never_agree():
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no similarity"):
        align_sim3_robust(
            random.normal(size=(9, 3)), random.normal(size=(9, 3)), max_error=1e-9, iterations=50
        )
