"""Keypoints where they are, descriptors as COLMAP wants them."""

import cv2
import numpy as np
import pycolmap
import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.poses.matching.features import extract, extract_all, fill_database, root_sift
from ds3d_pipeline.scene import Keyframe

CENTRE = np.array([70.3, 45.8])
SIZE_WH = (160, 120)


def blob(centre=CENTRE, sigma=4.0):
    """A bright spot whose centre counts from the outer corner of the first pixel."""
    v, u = np.indices(SIZE_WH[::-1]) + 0.5
    squares = (u - centre[0]) ** 2 + (v - centre[1]) ** 2
    return np.round(40 + 180 * np.exp(-squares / (2 * sigma**2))).astype(np.uint8)


def strongest(gray, max_side_px):
    found = extract(gray, max_side_px=max_side_px, max_features=50)
    return found.keypoints[np.argmin(np.linalg.norm(found.keypoints[:, :2] - CENTRE, axis=1))]


@pytest.mark.parametrize("max_side_px", [160, 80])
def test_a_spot_is_found_at_its_centre_in_pixels_of_the_file(max_side_px):
    found = strongest(blob(), max_side_px)
    np.testing.assert_allclose(found[:2], CENTRE, atol=0.15)
    assert 2 < found[2] < 9


def test_descriptors_are_root_sift():
    random = np.random.default_rng(0)
    sift = random.uniform(0, 255, (10, 128)).astype(np.float32)
    expected = 512 * np.sqrt(sift / sift.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(root_sift(sift), np.minimum(expected, 255), atol=0.51)
    assert not root_sift(np.zeros((1, 128), np.float32)).any()


def test_nothing_to_see_is_no_feature():
    found = extract(np.full((90, 90), 77, np.uint8), max_side_px=90, max_features=10)
    assert found.keypoints.shape == (0, 4)
    assert found.descriptors.shape == (0, 128)


def test_a_damaged_keyframe_is_named(tmp_path):
    (tmp_path / "000001.jpg").write_bytes(b"no picture")
    with pytest.raises(StageError, match=r"000001\.jpg"):
        extract_all([tmp_path / "000001.jpg"], max_side_px=90, max_features=9, report=lambda *_: None)


def test_the_database_holds_cameras_priors_and_features(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), blob())
    frames = [
        Keyframe(
            image=name, source=name, timestamp_s=None, sharpness=1, size_wh=SIZE_WH, camera=n, focal_px=focal
        )
        for name, n, focal in (("a", 0, 150.0), ("b", 0, 150.0), ("c", 1, None))
    ]
    features = extract_all(3 * [tmp_path / "a.png"], max_side_px=160, max_features=20, report=lambda *_: None)
    fill_database(tmp_path / "database.db", frames, features)
    with pycolmap.Database.open(tmp_path / "database.db") as database:
        cameras, images = database.read_all_cameras(), database.read_all_images()
        assert [camera.has_prior_focal_length for camera in cameras] == [True, False]
        assert cameras[0].focal_length == pytest.approx(150)
        assert [image.camera_id for image in images] == [cameras[0].camera_id] * 2 + [cameras[1].camera_id]
        keypoints = database.read_keypoints(images[2].image_id)
        np.testing.assert_allclose(keypoints, features[2].keypoints)
