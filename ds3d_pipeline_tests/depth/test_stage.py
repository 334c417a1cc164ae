"""The stage as a program."""

import json

import cv2
import numpy as np
import pytest

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.stage import interpolate_depth, patchmatch_depth
from ds3d_pipeline.depth.stereo.multi_view import PlaneStore
from ds3d_pipeline.depth.stereo.patchmatch import Planes
from ds3d_pipeline.depth.stereo.view_selection import source_views
from ds3d_pipeline.formats.colmap import read_depth_maps, read_reconstruction
from ds3d_pipeline.programs.contract import STAGE_ERROR_EXIT, program_main
from ds3d_pipeline_tests.pointcloud.captures import WALL_Z, K, write_capture

BACKENDS = {"patchmatch": patchmatch_depth, "interpolation": interpolate_depth}


def run(folder, backend):
    argv = [str(folder / "input"), str(folder / "output"), "--backend", backend]
    return program_main(DepthOptions, BACKENDS, argv)


def told(folder):
    return json.loads((folder / "output" / "error.json").read_text())["cause"]


@pytest.fixture
def wall(tmp_path):
    (tmp_path / "input").mkdir()
    write_capture(tmp_path / "input", maps=False)
    return tmp_path


def test_interpolation_is_exact_on_a_wall(wall):
    assert run(wall, "interpolation") == 0
    for found in read_depth_maps(wall / "output", read_reconstruction(wall / "input" / "sparse")):
        known = found.depth > 0
        assert known.mean() > 0.1
        np.testing.assert_allclose(found.depth[known], WALL_Z, rtol=1e-4)
        np.testing.assert_allclose(found.normals[known], np.tile([0, 0, -1], (known.sum(), 1)), atol=1e-3)


def test_without_texture_patchmatch_gives_numbers_and_up(wall):
    """Blank photos match everywhere and nowhere: no depth may be made up."""
    for photo in (wall / "input" / "images").iterdir():
        cv2.imwrite(str(photo), np.full((120, 160, 3), 128, np.uint8))
    assert run(wall, "patchmatch") == STAGE_ERROR_EXIT
    assert "%" in told(wall)
    assert not (wall / "output" / "result.json").exists()


def test_too_few_views_that_share_points(tmp_path):
    (tmp_path / "input").mkdir()
    write_capture(tmp_path / "input", maps=False, views=1)
    assert run(tmp_path, "patchmatch") == STAGE_ERROR_EXIT
    assert "No two views have enough sparse points in common (1 view)" in told(tmp_path)


def test_a_missing_photo_is_named(wall):
    (wall / "input" / "images" / "000003.png").unlink()
    assert run(wall, "patchmatch") == STAGE_ERROR_EXIT
    assert "000003.png" in told(wall)


def test_sources_are_other_views_that_share_points(wall):
    chosen = source_views(read_reconstruction(wall / "input" / "sparse"), 2)
    assert [len(sources) for sources in chosen] == [2] * 5
    for view, sources in enumerate(chosen):
        assert view not in sources
        assert len(set(sources.tolist())) == 2


def test_planes_come_back_from_disk(tmp_path):
    random = np.random.default_rng(0)
    planes = random.uniform(size=(6, 8, 3)).astype(np.float32)
    found = Planes(planes=planes, cost=random.uniform(size=(6, 8)).astype(np.float32), K=K)
    store = PlaneStore(tmp_path / "store")
    store.put(3, found)
    assert 3 in store
    assert 2 not in store
    again = store.get(3)
    np.testing.assert_array_equal(again.planes, found.planes)
    np.testing.assert_array_equal(again.cost, found.cost)
    np.testing.assert_array_equal(again.K, K)
