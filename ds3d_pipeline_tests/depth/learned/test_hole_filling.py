"""Holes cut into true depth maps, filled by models that know the truth, nearly know it, or do not."""

import cv2
import numpy as np
import pytest

from ds3d_pipeline.depth.learned.hole_filling import ESTIMATED_CONFIDENCE, HoleFilling
from ds3d_pipeline.depth.learned.monocular import Monocular
from ds3d_pipeline.depth.learned.network import DepthNetwork
from ds3d_pipeline.depth.learned.refinement import normals_from_depth
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_depth_maps, write_depth_map
from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.scene import DepthMap
from ds3d_pipeline_tests.depth.onnx_models import remembered, stand_in, weighted_colors
from ds3d_pipeline_tests.depth.scenes import film

OPTIONS = DepthOptions(max_side_px=320)
HOLE = np.s_[60:150, 80:220]


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    return film(tmp_path_factory.mktemp("film"), frames=5, arc_deg=20.0)


@pytest.fixture
def maps(tmp_path, filmed):
    """True maps with a hole in the middle of each."""
    for view, truth in zip(filmed.model.views, filmed.depths, strict=True):
        depth = truth.astype(np.float32)
        depth[HOLE] = 0
        sure = np.float32(0.9) * (depth > 0)
        normals = normals_from_depth(depth, view.K)
        write_depth_map(
            tmp_path, DepthMap(image=view.image, depth=depth, normals=normals, confidence=sure, K=view.K)
        )
    return tmp_path


@pytest.fixture
def exact(filmed, maps):
    return stand_in(maps / "model.onnx", photos(filmed), filmed.depths)


def photos(filmed):
    return [read_rgb(filmed.images / view.image) for view in filmed.model.views]


def smooth_hills(seed):
    hills = np.random.default_rng(seed).uniform(0, 1, (4, 5)).astype(np.float32)
    return cv2.resize(hills, (320, 240), interpolation=cv2.INTER_CUBIC)


def fill(filmed, maps, model_file):
    monocular = Monocular(
        network=DepthNetwork(model_file, OPTIONS),
        model=filmed.model,
        images=filmed.images,
        options=OPTIONS,
        refinement=OPTIONS.holes.estimate.refinement,
    )
    filling = HoleFilling(monocular=monocular, maps=maps, scratch=maps / "scratch", source_views=4)
    return filling.fill()


def errors_in_hole(filmed, maps):
    """Which pixels of the holes got a depth, and the relative error of each."""
    found = read_depth_maps(maps, filmed.model)
    pairs = [(one.depth[HOLE], truth[HOLE]) for one, truth in zip(found, filmed.depths, strict=True)]
    known, truth = np.array(pairs).swapaxes(0, 1)
    return known > 0, np.abs(known / truth - 1)


def test_a_model_that_knows_the_truth_fills_the_holes_with_it(filmed, maps, exact):
    told = fill(filmed, maps, exact)
    filled, errors = errors_in_hole(filmed, maps)
    assert filled.mean() > 0.8
    assert (errors[filled] < 0.01).mean() > 0.95
    holes = 90 * 140 / (240 * 320)
    assert told.estimated == pytest.approx(filled.mean() * holes, rel=1e-6)
    assert told.coverage > 0.95


def test_what_was_measured_stays_and_what_is_estimated_is_marked(filmed, maps, exact):
    before = read_depth_maps(maps, filmed.model)
    fill(filmed, maps, exact)
    for old, new in zip(before, read_depth_maps(maps, filmed.model), strict=True):
        measured, added = old.depth > 0, (old.depth == 0) & (new.depth > 0)
        for name in ("depth", "normals", "confidence"):
            np.testing.assert_array_equal(getattr(new, name)[measured], getattr(old, name)[measured])
        np.testing.assert_allclose(new.confidence[added], ESTIMATED_CONFIDENCE)
        np.testing.assert_allclose(np.linalg.norm(new.normals[added], axis=1), 1, atol=1e-3)
        assert (new.confidence[new.depth == 0] == 0).all()


def test_a_model_that_is_a_little_off_is_bent_to_what_is_measured(filmed, maps):
    fill(filmed, maps, stand_in(maps / "model.onnx", photos(filmed), filmed.depths, off=0.02))
    filled, errors = errors_in_hole(filmed, maps)
    assert filled.mean() > 0.2
    assert (errors[filled] < 0.02).mean() > 0.9
    assert np.median(errors[filled]) < 0.004


def test_a_model_of_another_scene_fills_nothing(filmed, maps):
    wrong = remembered(maps / "model.onnx", photos(filmed), [smooth_hills(seed) for seed in range(5)])
    assert fill(filmed, maps, wrong).estimated < 0.002


def test_a_model_that_fails_leaves_the_maps_alone(filmed, maps):
    before = {path: path.read_bytes() for path in maps.rglob("*.bin")}
    with pytest.raises(StageError, match="not finite"):
        fill(filmed, maps, weighted_colors(maps / "model.onnx", offset=np.nan))
    assert {path: path.read_bytes() for path in maps.rglob("*.bin")} == before
