"""The scores against cases whose answer is known."""

import numpy as np
import pytest

from ds3d_pipeline.evaluation.depth import depth_at, heldout_errors, hold_out, score_depth
from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline_tests.pointcloud.captures import depth_map, wall_depth, write_capture


@pytest.fixture
def model(tmp_path):
    write_capture(tmp_path, maps=False)
    return read_reconstruction(tmp_path / "sparse")


def test_depth_between_pixels_of_a_slanted_plane_is_exact():
    v, u = np.indices((20, 30)) + 0.5
    depth = (1 / (0.5 + 0.001 * u - 0.002 * v)).astype(np.float32)
    places = np.random.default_rng(0).uniform([0.5, 0.5], [29.5, 19.5], (100, 2))
    expected = 1 / (0.5 + 0.001 * places[:, 0] - 0.002 * places[:, 1])
    np.testing.assert_allclose(depth_at(depth, places), expected, rtol=1e-6)


def test_depth_at_a_step_or_beside_a_hole_is_the_pixels_own():
    depth = np.full((4, 6), 1, np.float32)
    depth[:, 3:] = 2
    depth[0, 0] = 0
    places = np.array([[2.9, 2.0], [3.2, 2.0], [0.4, 0.4], [1.2, 0.6]])
    np.testing.assert_array_equal(depth_at(depth, places), [1, 2, 0, 1])


def test_held_out_points_are_out_of_every_view(model):
    kept, out = hold_out(model, 0.3)
    assert 0.2 < out.mean() < 0.4
    assert len(kept.points_in_world) == (~out).sum()
    for before, after in zip(model.views, kept.views, strict=True):
        expected = model.points_in_world[before.point_ids[~out[before.point_ids]]]
        np.testing.assert_array_equal(kept.points_in_world[after.point_ids], expected)


def test_errors_at_held_out_points(model):
    _, out = hold_out(model, 0.3)
    depth = (wall_depth(None) * 1.01).astype(np.float32)
    depth[:, :80] = 0
    errors, total = heldout_errors(depth_map("x", depth, 1.0), model.views[2], model, out)
    assert total == out.sum()
    assert 0.3 * total < len(errors) < 0.7 * total
    np.testing.assert_allclose(errors, 0.01, rtol=1e-3)


def test_shares_count_holes_against_a_map():
    truth = np.full((10, 10), 2, np.float32)
    found = truth.copy()
    found[:2], found[2:4] = 0, 2.1
    seen = np.ones_like(truth, bool)
    score = score_depth(found, truth, seen, (0.01, 0.1))
    assert score.coverage == pytest.approx(0.8)
    assert score.within == pytest.approx((0.6, 0.8))
    assert score.correct == pytest.approx((0.75, 1.0))
    assert score.median_error == pytest.approx(0, abs=1e-6)
