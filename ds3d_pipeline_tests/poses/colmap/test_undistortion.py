"""Pinhole pictures, keypoints and colours that fit each other."""

import cv2
import numpy as np
import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.poses.colmap.undistortion import flatten
from ds3d_pipeline_tests.poses.models import make_model


def ramps():
    """A picture whose blue tells the column and whose green tells the row, from 0 to 240."""
    rows, columns = np.indices((480, 640)) + 0.5
    return np.round(np.stack([columns / 640, rows / 480, 0 * rows], axis=2) * 240).astype(np.uint8)


@pytest.fixture
def sources(tmp_path):
    def write(model):
        folder = tmp_path / "source"
        folder.mkdir()
        for image in model.images.values():
            cv2.imwrite(str(folder / image.name), ramps())
        return folder

    return write


def test_pictures_and_keypoints_are_those_of_a_pinhole(sources, tmp_path):
    model = make_model(params=(600, 330, 235, -0.1))
    flat = flatten(model, sources(model), tmp_path / "flat")
    (camera,), (old,) = flat.cameras.values(), model.cameras.values()
    flat.update_point_3d_errors()
    assert camera.model_name == "PINHOLE"
    assert flat.compute_mean_reprojection_error() < 1e-6
    picture = cv2.imread(str(tmp_path / "flat" / model.images[1].name)).astype(float)
    assert picture.shape[:2] == (camera.height, camera.width)
    pixels = np.array([[30, 30], [camera.width // 2, 200], [camera.width - 20, camera.height - 25]])
    rays = np.column_stack([camera.cam_from_img(pixels + 0.5), np.ones(3)])
    expected = old.img_from_cam(rays) / [640, 480] * 240
    np.testing.assert_allclose(picture[pixels[:, 1], pixels[:, 0], :2], expected, atol=1.5)


def test_points_have_the_colours_of_the_pictures(sources, tmp_path):
    model = make_model(params=(600, 330, 235, -0.1))
    expected = {
        point_id: np.mean(
            [model.images[e.image_id].points2D[e.point2D_idx].xy for e in point.track.elements], axis=0
        )
        for point_id, point in model.points3D.items()
    }
    flat = flatten(model, sources(model), tmp_path / "flat")
    for point_id, xy in expected.items():
        red, green, blue = flat.points3D[point_id].color
        np.testing.assert_allclose([blue, green, red], [*(xy / [640, 480] * 240), 0], atol=3)


def test_pinhole_pictures_are_copied(sources, tmp_path):
    model = make_model(model="PINHOLE", params=(600, 600, 330, 235))
    source = sources(model)
    flat = flatten(model, source, tmp_path / "flat")
    for image in model.images.values():
        assert (tmp_path / "flat" / image.name).read_bytes() == (source / image.name).read_bytes()
    np.testing.assert_array_equal(flat.cameras[1].params, model.cameras[1].params)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(StageError, match="missing or damaged"):
        flatten(make_model(), tmp_path, tmp_path / "flat")
