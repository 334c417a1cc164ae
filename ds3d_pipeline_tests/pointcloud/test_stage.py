import json

import numpy as np
import pytest

from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.pointcloud.options import PointcloudOptions
from ds3d_pipeline.pointcloud.stage import fuse
from ds3d_pipeline.programs.contract import STAGE_ERROR_EXIT, program_main
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.scene import UNCERTAIN_CONFIDENCE
from ds3d_pipeline_tests.pointcloud.captures import WALL_Z, wall_color, wall_depth, wall_points, write_capture


def run(tmp_path, options=None):
    argv = [str(tmp_path / "input"), str(tmp_path / "output")]
    if options is not None:
        write_json(tmp_path / "options.json", options)
        argv += ["--options", str(tmp_path / "options.json")]
    return program_main(PointcloudOptions, {"fusion": fuse}, argv)


def result(tmp_path):
    cloud = read_pointcloud(tmp_path / "output" / "pointcloud.ply")
    return json.loads((tmp_path / "output" / "result.json").read_text()), cloud


@pytest.fixture
def capture(tmp_path):
    (tmp_path / "input").mkdir()
    return lambda **fields: write_capture(tmp_path / "input", **fields)


@pytest.mark.parametrize("confidence", [1.0, 0.4])
def test_points_lie_on_the_wall_with_its_normals_and_colors(tmp_path, capture, confidence):
    capture(confidence=confidence)
    assert run(tmp_path) == 0
    numbers, cloud = result(tmp_path)
    assert numbers["source"] == "fused"
    assert numbers["points"] == len(cloud.points_in_world) > 10_000
    np.testing.assert_allclose(cloud.points_in_world[:, 2], WALL_Z, atol=1e-4)
    np.testing.assert_allclose(cloud.normals, np.tile([0, 0, -1], (len(cloud.normals), 1)), atol=1e-5)
    assert np.abs(cloud.colors - wall_color(cloud.points_in_world)).mean() < 1.5


def test_each_place_becomes_few_points(tmp_path, capture):
    """Five maps see nearly the same wall: fused, it has hardly more points than one map has pixels."""
    capture()
    run(tmp_path)
    _, cloud = result(tmp_path)
    middle = np.abs(cloud.points_in_world[:, :2]).max(axis=1) < 0.5
    pixels = 150**2 / WALL_Z**2
    assert 0.8 * pixels < middle.sum() < 1.6 * pixels


def test_depth_that_only_one_view_claims_is_dropped(tmp_path, capture):
    def with_blob(centre):
        depth = wall_depth(centre).copy()
        if centre[0] == 0:
            depth[40:60, 60:90] = 1.5
        return depth

    capture(depth_of=with_blob)
    run(tmp_path)
    _, cloud = result(tmp_path)
    np.testing.assert_allclose(cloud.points_in_world[:, 2], WALL_Z, atol=1e-4)


def test_two_of_five_views_do_not_make_a_point_that_all_could_see(tmp_path, capture):
    def with_board(centre):
        depth = wall_depth(centre).copy()
        if centre[0] in (0, 0.3):
            across = wall_points(centre, np.full_like(depth, 1.5))[..., :2]
            depth[(np.abs(across) < 0.15).all(axis=-1)] = 1.5
        return depth

    capture(depth_of=with_board)
    run(tmp_path)
    _, cloud = result(tmp_path)
    np.testing.assert_allclose(cloud.points_in_world[:, 2], WALL_Z, atol=1e-4)


@pytest.mark.parametrize(("confidence", "built"), [(1.0, True), (UNCERTAIN_CONFIDENCE, True), (0.005, False)])
def test_two_views_make_a_point_where_no_other_looks(tmp_path, capture, confidence, built):
    """The wall's left end is in the first picture alone up to x = -1.9, and in two up to x = -1.6.

    That may be uncertain depth, but not such that no other map agrees with.
    """
    capture(confidence=np.where(np.arange(160) < 32, confidence, 1.0))
    run(tmp_path)
    _, cloud = result(tmp_path)
    left = cloud.points_in_world[:, 0]
    assert (((left > -1.85) & (left < -1.65)).sum() > 500) == built
    assert not (left < -1.92).any()


def test_noise_is_averaged(tmp_path, capture):
    random = np.random.default_rng(0)

    def noisy(centre):
        return (wall_depth(centre) + random.normal(scale=0.006, size=(120, 160))).astype(np.float32)

    capture(depth_of=noisy, views=7)
    run(tmp_path)
    _, cloud = result(tmp_path)
    assert np.std(cloud.points_in_world[:, 2]) < 0.006 * 0.7


def test_max_points_is_kept(tmp_path, capture):
    capture()
    run(tmp_path, PointcloudOptions(max_points=3000))
    numbers, cloud = result(tmp_path)
    assert 1500 < len(cloud.points_in_world) <= 3000
    assert numbers["fused"] > 10_000


def test_without_maps_the_sparse_points_are_taken(tmp_path, capture):
    capture(maps=False)
    assert run(tmp_path) == 0
    numbers, cloud = result(tmp_path)
    assert numbers["source"] == "sparse"
    assert numbers["fused"] == 0
    assert len(cloud.points_in_world) > 150
    np.testing.assert_allclose(cloud.normals[:, 2], -1, atol=1e-3)


def test_maps_that_agree_nowhere_leave_the_sparse_points(tmp_path, capture):
    capture(depth_of=lambda centre: wall_depth(centre) * np.float32(1 + 0.3 * centre[0]))
    assert run(tmp_path) == 0
    assert result(tmp_path)[0]["source"] == "sparse"


def test_too_few_points_is_an_error_with_a_remedy(tmp_path, capture):
    capture(maps=False, points=20)
    assert run(tmp_path) == STAGE_ERROR_EXIT
    error = json.loads((tmp_path / "output" / "error.json").read_text())
    assert "Only 20 points" in error["cause"]
    assert error["remedy"]
    assert not (tmp_path / "output" / "pointcloud.ply").exists()
