"""A bent estimate against depth that is known in places."""

import numpy as np
import pytest

from ds3d_pipeline.depth.learned.correction import corrected
from ds3d_pipeline.depth.options import CorrectionOptions

OPTIONS = CorrectionOptions()
HEIGHT, WIDTH = 90, 120
Y, X = np.mgrid[:HEIGHT, :WIDTH] / WIDTH


def two_surfaces():
    """Inverse depth of a slanted near half and a far half."""
    return np.where(X < 0.5, 1.0 + 0.2 * Y, 0.4).astype(np.float32)


def bent(truth):
    """Off by a smooth factor of up to 5 %, another one on each surface."""
    return (truth * np.where(X < 0.5, 1 + 0.05 * np.sin(3 * X), 0.96 + 0.03 * Y)).astype(np.float32)


def known_outside(hole):
    where = np.ones((HEIGHT, WIDTH), bool)
    where[hole] = False
    return where


HOLE = np.s_[35:55, 40:80]


def test_the_bend_goes_also_in_the_hole_between_two_surfaces():
    truth = two_surfaces()
    found = corrected(bent(truth), truth, known_outside(HOLE), OPTIONS)
    before, after = (np.abs(one[HOLE] / truth[HOLE] - 1) for one in (bent(truth), found.inverse_depth))
    assert np.median(before) > 0.02
    assert np.quantile(after, 0.9) < 0.006
    assert found.error[HOLE].max() < 0.006


def test_an_exact_estimate_stays_whatever_is_measured_wrong():
    truth = two_surfaces()
    measured = truth * np.where((X < 0.3) & (Y < 0.3), 1.05, 1).astype(np.float32)
    found = corrected(truth, measured, known_outside(HOLE), OPTIONS)
    np.testing.assert_allclose(found.inverse_depth, truth, rtol=1e-6)
    assert np.isinf(found.error[5, 5])
    assert found.error[HOLE].max() < 1e-6


def test_an_estimate_that_does_not_fit_tells_a_large_error():
    random = np.random.default_rng(0)
    wrong = two_surfaces() * np.exp(random.normal(scale=0.05, size=(HEIGHT, WIDTH))).astype(np.float32)
    found = corrected(wrong, two_surfaces(), known_outside(HOLE), OPTIONS)
    assert found.error[HOLE].min() > 0.02


@pytest.mark.parametrize(("sign", "where"), [(-1, True), (1, False)])
def test_what_is_not_known_has_infinite_error(sign, where):
    truth = two_surfaces()
    found = corrected(sign * truth, truth, np.full(truth.shape, where), OPTIONS)
    assert np.isinf(found.error).all()
    assert (found.inverse_depth >= 0).all()
