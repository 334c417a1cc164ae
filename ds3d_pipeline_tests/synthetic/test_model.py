"""The true sparse model, and the scenes that are hard for stereo."""

import cv2
import numpy as np
import pytest

from ds3d_pipeline.formats.colmap import read_reconstruction, write_reconstruction
from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.model import MIN_CORNERNESS, true_depths, true_model, views_of_pixels
from ds3d_pipeline.synthetic.options import CameraOptions, SceneOptions, SyntheticOptions


@pytest.fixture(scope="module", params=["slender", "painted"])
def filmed(request, tmp_path_factory):
    camera = CameraOptions(size_wh=(320, 240), focal_px=280.0)
    options = SyntheticOptions(scene=SceneOptions(name=request.param), camera=camera, frames=4)
    truth = make_capture(tmp_path_factory.mktemp(request.param), options)
    depths = true_depths(truth)
    return request.param, truth, depths, true_model(truth, depths, 500)


def test_points_lie_on_corners_of_the_photos_and_on_the_surface(filmed):
    _, truth, depths, model = filmed
    assert 200 < len(model.points_in_world) <= 500
    assert model.track_lengths.min() >= 2
    for view, depth in zip(model.views, depths, strict=True):
        pixels, z = project(view.K, view.cam_from_world, model.points_in_world[view.point_ids])
        column, row = pixels.astype(int).T
        np.testing.assert_allclose(depth[row, column], z, rtol=0.01)
        grey = np.float32(cv2.imread(str(truth.input / view.image), cv2.IMREAD_GRAYSCALE)) / 255
        assert (cv2.cornerMinEigenVal(grey, 5)[row, column] > MIN_CORNERNESS).all()


def test_the_painted_room_has_large_parts_without_texture(filmed):
    name, truth, _, _ = filmed
    grey = np.float32(cv2.imread(str(truth.input / truth.frames[1].image), cv2.IMREAD_GRAYSCALE))
    mean, square = cv2.blur(grey, (9, 9)), cv2.blur(grey * grey, (9, 9))
    even = np.sqrt(np.maximum(square - mean**2, 0)) < 4
    assert even.mean() > 0.3 if name == "painted" else even.mean() < 0.1


def test_most_pixels_are_seen_by_more_than_one_view(filmed):
    _, truth, depths, _ = filmed
    counts = views_of_pixels(truth, depths, 1)
    assert counts.max() <= 4
    assert ((counts >= 1) == (depths[1] > 0)).all()
    assert (counts >= 2).mean() > 0.7


def test_the_model_comes_back_from_colmaps_files(filmed, tmp_path):
    *_, model = filmed
    write_reconstruction(tmp_path / "sparse", model)
    again = read_reconstruction(tmp_path / "sparse")
    np.testing.assert_allclose(again.points_in_world, model.points_in_world)
    np.testing.assert_array_equal(again.track_lengths, model.track_lengths)
    for ours, theirs in zip(model.views, again.views, strict=True):
        np.testing.assert_allclose(theirs.cam_from_world, ours.cam_from_world, atol=1e-9)
        np.testing.assert_array_equal(theirs.point_ids, ours.point_ids)
