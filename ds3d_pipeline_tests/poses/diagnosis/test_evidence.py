"""The measures behind a diagnosis, on matches whose geometry is known."""

import cv2
import numpy as np
import pytest

from ds3d_pipeline.geometry.cameras import intrinsics, project
from ds3d_pipeline.geometry.transforms import rigid, rotation_from_axis_angle_deg
from ds3d_pipeline.poses.diagnosis.diagnosis import linked_groups
from ds3d_pipeline.poses.diagnosis.evidence import (
    MatchedPair,
    best_rotation,
    contrast,
    measure_pairs,
    summarize,
    widest_parallax_deg,
)
from ds3d_pipeline_tests.poses.diagnosis.test_diagnosis import chain, evidence, pair

SIZE_WH = (640, 480)
FOCAL_PX = 500.0
SHIFT = np.array([0.4, 0.0, 0.0])


def matched(turn_deg, shift, depth=(2.0, 6.0), noise_px=0.3):
    """Matches of a camera that turns about the vertical and shifts before points at random depths."""
    random = np.random.default_rng(0)
    uv = random.uniform((60, 60), (580, 420), (400, 2))
    z = random.uniform(*depth, 400)
    K = intrinsics(FOCAL_PX, SIZE_WH)
    points = np.c_[(uv - np.array(SIZE_WH) / 2) / FOCAL_PX, np.ones(400)] * z[:, None]
    rotation = rotation_from_axis_angle_deg([0, 1, 0], turn_deg)
    seen, _ = project(K, rigid(rotation, -rotation @ shift), points)
    noise = random.normal(scale=noise_px, size=seen.shape)
    return MatchedPair(first=0, second=1, matches=420, inliers=400, uv_first=uv, uv_second=seen + noise)


def measured(one, focal_px=FOCAL_PX):
    (found,) = measure_pairs([one], [SIZE_WH] * 2, [focal_px] * 2)
    return found


@pytest.mark.parametrize("focal_px", [FOCAL_PX, None])
@pytest.mark.parametrize("turn_deg", [0, 3, 15])
def test_a_turn_has_no_parallax_whether_the_focal_length_is_known(turn_deg, focal_px):
    found = measured(matched(turn_deg, np.zeros(3)), focal_px)
    assert found.parallax_deg < 0.3
    assert found.homography_fraction > 0.95


@pytest.mark.parametrize("focal_px", [FOCAL_PX, None])
@pytest.mark.parametrize("turn_deg", [0, 8])
def test_a_step_aside_has_parallax(turn_deg, focal_px):
    found = measured(matched(turn_deg, SHIFT), focal_px)
    assert found.parallax_deg > 1
    assert found.homography_fraction < 0.6


def test_a_plane_is_one_homography_but_has_parallax():
    """Seen from the side, as on a walk along a wall."""
    found = measured(matched(20, 6 * SHIFT, depth=(4.0, 4.001)))
    assert found.homography_fraction > 0.95
    assert found.parallax_deg > 0.7


def test_the_best_rotation_is_found():
    random = np.random.default_rng(1)
    rays = random.normal(size=(50, 3)) + np.array([0, 0, 5])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    turn = rotation_from_axis_angle_deg([1, -2, 0.5], 25)
    np.testing.assert_allclose(best_rotation(rays, rays @ turn.T), turn, atol=1e-12)


@pytest.mark.slow
def test_only_some_of_many_pairs_are_measured_closely():
    many = measure_pairs([matched(0, SHIFT)] * 500, [SIZE_WH] * 2, [FOCAL_PX] * 2)
    assert len(many) == 500
    assert sum(one.parallax_deg is not None for one in many) == 200
    assert widest_parallax_deg(many) > 1


def test_contrast_of_noise_is_low_and_of_an_edge_high():
    random = np.random.default_rng(0)
    even = np.clip(128 + random.normal(scale=3, size=(300, 400)), 0, 255).astype(np.uint8)
    assert contrast(even) < 2
    striped = even.copy()
    striped[:, ::40] = 20
    striped[:, 1::40] = 20
    assert contrast(striped) > 10
    soft = np.asarray(cv2.GaussianBlur(striped, (0, 0), 6), np.uint8)
    assert contrast(even) < contrast(soft) < contrast(striped)


def test_groups_are_parts_that_enough_matches_link():
    pairs = (*chain(range(5)), *chain(range(5, 9)), pair(2, 7, inliers=15))
    assert linked_groups(10, pairs) == [[0, 1, 2, 3, 4], [5, 6, 7, 8]]
    assert linked_groups(10, (*pairs, pair(2, 7, inliers=60))) == [list(range(9))]
    assert linked_groups(4, ()) == []


def test_summary_of_nothing_is_none():
    told = summarize(evidence((), None))
    assert told.features_per_frame == 2000
    assert told.matched_pairs == 0
    assert {getattr(told, name) for name in ("inliers_per_pair", "inlier_ratio", "parallax_deg")} == {None}
    assert told.triangulation_angle_deg is None
