"""The model's values against NumPy, and models that are not what they should be."""

import cv2
import numpy as np
import onnxruntime
import pytest

from ds3d_pipeline.depth.learned.network import DepthNetwork, model_size
from ds3d_pipeline.depth.learned.runtime import describe_runtime
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.programs.options import options_with
from ds3d_pipeline_tests.depth.onnx_models import WEIGHTS, flattened, weighted_colors

OPTIONS = DepthOptions(model_side_px=56)
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def photo(width, height):
    """Smooth colours, so that resizing hardly matters."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    return np.round(255 * np.stack([x, y, 0.5 * (x + y)], axis=-1)).astype(np.uint8)


def expected(rgb, size_wh):
    small = cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA)
    return ((small / 255 - MEAN) / DEVIATION) @ WEIGHTS


def test_values_are_those_of_numpy(tmp_path):
    network = DepthNetwork(weighted_colors(tmp_path / "model.onnx"), OPTIONS)
    found = network.disparity(photo(300, 200))
    assert found.shape == (56, 84)
    np.testing.assert_allclose(found, expected(photo(300, 200), (84, 56)), atol=1e-5)


def test_colours_and_meaning_are_options(tmp_path):
    path = weighted_colors(tmp_path / "model.onnx", offset=2.0)
    options = DepthOptions(model_side_px=56, model_colors="unit", model_gives_depth=True)
    small = cv2.resize(photo(300, 200), (84, 56), interpolation=cv2.INTER_AREA)
    found = DepthNetwork(path, options).disparity(photo(300, 200))
    np.testing.assert_allclose(found, 1 / ((small / 255) @ WEIGHTS + 2), rtol=1e-5)


@pytest.mark.parametrize("size_wh", [(300, 200), (200, 300), (140, 140)])
def test_a_model_of_fixed_size_keeps_the_aspect(tmp_path, size_wh):
    path = weighted_colors(tmp_path / "model.onnx", sides=[70, 70], name="image")
    found = DepthNetwork(path, OPTIONS).disparity(photo(*size_wh))
    scale = 70 / max(size_wh)
    assert found.shape == (round(size_wh[1] * scale), round(size_wh[0] * scale))
    np.testing.assert_allclose(found, expected(photo(*size_wh), found.shape[::-1]), atol=1e-4)


def test_sides_are_multiples_and_keep_the_aspect():
    assert model_size(1600, 1200, 518, 14) == (686, 518)
    assert model_size(1200, 1600, 518, 14) == (518, 686)
    assert model_size(64, 64, 518, 14) == (518, 518)


def test_colours_that_are_not_known_are_refused_before_any_work():
    with pytest.raises(InputError, match='"imagenet", "symmetric", "unit"'):
        options_with(DepthOptions(), {"model_colors": "sepia"}, "depth_maps")


def cut(path):
    weighted_colors(path).write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (cut, "cannot be opened"),
        (lambda path: path.write_bytes(b""), "cannot be opened"),
        (lambda path: weighted_colors(path, sides=["height"]), "expected one picture"),
    ],
)
def test_files_that_are_no_such_model(tmp_path, make, told):
    make(tmp_path / "model.onnx")
    with pytest.raises(StageError, match=told) as caught:
        DepthNetwork(tmp_path / "model.onnx", OPTIONS)
    assert "model.onnx" in caught.value.cause
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "told"),
    [(flattened, "shape"), (lambda path: weighted_colors(path, offset=np.nan), "not finite")],
)
def test_outputs_that_are_no_depth(tmp_path, make, told):
    network = DepthNetwork(make(tmp_path / "model.onnx"), OPTIONS)
    with pytest.raises(StageError, match=told) as caught:
        network.disparity(photo(100, 100))
    assert "model.onnx" in caught.value.cause


def test_the_provider_is_told_and_is_one_that_is_there(tmp_path):
    provider = DepthNetwork(weighted_colors(tmp_path / "model.onnx"), OPTIONS).provider
    assert f"{provider}ExecutionProvider" in onnxruntime.get_available_providers()
    assert describe_runtime().startswith(f"{onnxruntime.__version__}, runs on {provider}")
