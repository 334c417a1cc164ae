import numpy as np
import pytest

from ds3d_pipeline.depth.learned.alignment import (
    FAR_OVER_NEAR,
    Alignment,
    align,
    aligned_depth,
    assumed_depth,
)


def points(outliers=0.0, noise=0.0, count=400, scale=0.7, shift=0.15, seed=0):
    """Disparities in [0, 1], inverse depths by a known scale and shift, and some of them elsewhere."""
    random = np.random.default_rng(seed)
    disparity = random.uniform(0, 1, count)
    inverse = scale * disparity + shift + noise * random.normal(size=count)
    wrong = random.permutation(count)[: round(outliers * count)]
    inverse[wrong] = random.uniform(0.05, 3, len(wrong))
    return disparity, inverse


@pytest.mark.parametrize("seed", range(10))
def test_scale_and_shift_come_back_with_every_fifth_point_wrong(seed):
    found = align(*points(outliers=0.2, noise=0.005, seed=seed), seed=seed)
    assert found is not None
    assert found.scale == pytest.approx(0.7, rel=0.01)
    assert found.shift == pytest.approx(0.15, rel=0.01)
    assert 0.7 < found.inliers < 0.9


def test_exact_points_give_the_exact_line():
    found = align(*points())
    assert (found.scale, found.shift) == pytest.approx((0.7, 0.15), rel=1e-9)
    assert found.inliers == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: points(count=5),
        lambda: points(scale=-0.1),
        lambda: (np.full(100, 0.5), np.linspace(0.1, 1, 100)),
        lambda: tuple(np.random.default_rng(0).uniform(0, 1, (2, 200))),
    ],
)
def test_points_that_do_not_rise_with_the_disparity_fit_nothing(make):
    assert align(*make()) is None


def test_depth_of_the_line_ends_behind_the_furthest_point():
    alignment = Alignment(scale=1.0, shift=-0.2, inliers=1.0, spread=0.0)
    disparity = np.float32([[0.1, 0.2, 0.3, 0.7, 1.2]])
    found = aligned_depth(disparity, alignment, furthest=4.0)
    np.testing.assert_allclose(found, [[0, 0, 0, 2, 1]], rtol=1e-6)


def test_the_assumed_range():
    np.testing.assert_allclose(assumed_depth(np.float32([[0, 1]])), [[FAR_OVER_NEAR, 1]], rtol=1e-6)
    inverse = 1 / assumed_depth(np.linspace(0, 1, 9, dtype=np.float32)[None])
    np.testing.assert_allclose(np.diff(inverse), np.diff(inverse)[0, 0], rtol=1e-4)
