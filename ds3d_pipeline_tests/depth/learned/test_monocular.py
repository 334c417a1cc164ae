"""Learned depth through the stage's program, on a wall with known points and on one photo without any."""

import json

import cv2
import numpy as np
import pytest

from ds3d_pipeline.depth.learned.alignment import assumed_depth
from ds3d_pipeline.depth.learned.monocular import Monocular
from ds3d_pipeline.depth.learned.network import DepthNetwork
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.stage import card_depth, monocular_depth
from ds3d_pipeline.formats.colmap import read_depth_maps, read_reconstruction, write_reconstruction
from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.poses.single import write_single
from ds3d_pipeline.programs.contract import STAGE_ERROR_EXIT, program_main
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.scene import Keyframe
from ds3d_pipeline_tests.depth.onnx_models import flattened, stand_in, weighted_colors
from ds3d_pipeline_tests.depth.scenes import film
from ds3d_pipeline_tests.depth.sparse import write_model
from ds3d_pipeline_tests.pointcloud.captures import write_capture

BACKENDS = {"monocular": monocular_depth, "card": card_depth}


def run(folder, backend="monocular", **options):
    write_json(folder / "options.json", DepthOptions(**{"model_side_px": 112, **options}))
    argv = [str(folder / "input"), str(folder / "output"), "--backend", backend]
    return program_main(DepthOptions, BACKENDS, [*argv, "--options", str(folder / "options.json")])


def told(folder, name="result"):
    return json.loads((folder / "output" / f"{name}.json").read_text())


def maps(folder):
    return read_depth_maps(folder / "output", read_reconstruction(folder / "input" / "sparse"))


@pytest.fixture
def one_photo(tmp_path):
    """A grey ramp from left (dark) to right, seen by one camera."""
    (tmp_path / "input" / "images").mkdir(parents=True)
    ramp = np.tile(np.linspace(0, 255, 160).round().astype(np.uint8), (120, 1))
    cv2.imwrite(str(tmp_path / "input" / "images" / "000001.png"), ramp)
    frame = Keyframe(
        image="000001.png", source="a.png", timestamp_s=None, sharpness=1, size_wh=(160, 120), camera=0
    )
    write_single(tmp_path / "input" / "sparse", frame, 150.0)
    return tmp_path


def test_one_photo_gets_the_assumed_range(one_photo):
    assert run(one_photo, model=str(weighted_colors(one_photo / "model.onnx"))) == 0
    (found,) = maps(one_photo)
    ramp = np.clip((np.linspace(0, 1, 160) - 0.02) / 0.96, 0, 1)
    expected = assumed_depth(np.tile(ramp, (120, 1)).astype(np.float32))
    np.testing.assert_allclose(found.depth, expected, rtol=0.03)
    assert (found.confidence[found.depth > 0] < 0.5).all()
    numbers = told(one_photo)
    assert (numbers["coverage"], numbers["aligned"], numbers["provider"]) == (1.0, 0, "CPU")


def nan_model(path):
    return weighted_colors(path, offset=np.nan)


def cut_model(path):
    weighted_colors(path).write_bytes(path.read_bytes()[:-40])
    return path


def missing_model(path):
    return path


@pytest.mark.parametrize("make", [flattened, nan_model, cut_model, missing_model])
def test_an_unusable_model_is_one_sentence(one_photo, make):
    assert run(one_photo, model=str(make(one_photo / "model.onnx"))) == STAGE_ERROR_EXIT
    error = told(one_photo, "error")
    assert "model.onnx" in error["cause"]
    assert error["cause"].count("\n") == 0
    assert error["remedy"]


def test_a_wrong_checksum_is_one_sentence(one_photo):
    model = weighted_colors(one_photo / "model.onnx")
    assert run(one_photo, model=str(model), model_sha256="0" * 64) == STAGE_ERROR_EXIT
    assert "expected 000000000000" in told(one_photo, "error")["cause"]


def test_a_photo_of_one_colour_has_no_depth(one_photo):
    cv2.imwrite(str(one_photo / "input" / "images" / "000001.png"), np.full((120, 160), 99, np.uint8))
    model = weighted_colors(one_photo / "model.onnx")
    assert run(one_photo, model=str(model)) == STAGE_ERROR_EXIT
    assert "found no depth in 1 photo" in told(one_photo, "error")["cause"]


def test_without_a_model_the_card_is_flat(one_photo):
    assert run(one_photo, "card") == 0
    (found,) = maps(one_photo)
    assert np.ptp(found.depth) == 0
    assert found.depth.min() > 0
    assert (found.normals == (0, 0, -1)).all()
    assert told(one_photo)["flat"]


def test_the_card_of_many_views_is_at_the_distance_of_the_points(tmp_path):
    (tmp_path / "input").mkdir()
    write_capture(tmp_path / "input", maps=False)
    assert run(tmp_path, "card") == 0
    (found,) = maps(tmp_path)
    np.testing.assert_allclose(found.depth, 3.0, rtol=1e-6)


def test_a_model_that_knows_disparity_but_for_scale_and_shift_gives_true_depth(tmp_path):
    """The photos of a rendered scene are replaced by its true disparity, which the model then hands on."""
    filmed = film(tmp_path / "film", frames=3)
    (tmp_path / "input" / "images").mkdir(parents=True)
    for view, depth in zip(filmed.model.views, filmed.depths, strict=True):
        grey = np.clip(np.divide(300.0, depth, out=np.zeros_like(depth), where=depth > 0), 0, 255)
        cv2.imwrite(str(tmp_path / "input" / "images" / f"{view.image}.png"), np.round(grey))
    write_model(tmp_path / "input" / "sparse", filmed.model, suffix=".png")
    model = weighted_colors(tmp_path / "model.onnx")
    assert run(tmp_path, model=str(model), model_side_px=238, model_multiple_px=1) == 0
    assert told(tmp_path)["aligned"] == 3
    for found, truth in zip(maps(tmp_path), filmed.depths, strict=True):
        both = (found.depth > 0) & (truth > 0)
        assert both.mean() > 0.7
        assert np.median(np.abs(found.depth[both] / truth[both] - 1)) < 0.01


@pytest.mark.slow
def test_maps_that_err_each_in_its_way_are_made_consistent(tmp_path):
    """Views with a bend of their own come nearer to the truth once they speak to each other."""
    filmed = film(tmp_path / "input", frames=6)
    write_reconstruction(tmp_path / "input" / "sparse", filmed.model)
    photos = [read_rgb(filmed.images / view.image) for view in filmed.model.views]
    file = stand_in(tmp_path / "model.onnx", photos, filmed.depths, off=0.03)
    options = DepthOptions(max_side_px=320, model=str(file))
    alone = Monocular(
        network=DepthNetwork(file, options),
        model=filmed.model,
        images=filmed.images,
        options=options,
        refinement=options.refinement,
    )
    before = right(alone.maps(), filmed.depths)
    assert run(tmp_path, model=str(file), max_side_px=320) == 0
    after = right(maps(tmp_path), filmed.depths)
    assert before < 0.4
    assert after > before + 0.15
    assert not (tmp_path / "output" / "scratch").exists()


def right(found, truths):
    """The share of all depths that are within 1 % of the truth."""
    pairs = [(one.depth, truth) for one, truth in zip(found, truths, strict=True)]
    errors = [np.abs(depth / truth - 1)[(depth > 0) & (truth > 0)] for depth, truth in pairs]
    return (np.concatenate(errors) < 0.01).mean()
