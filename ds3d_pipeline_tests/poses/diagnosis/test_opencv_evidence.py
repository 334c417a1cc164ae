"""The OpenCV rung judges captures by the same numbers."""

import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.poses.opencv.stage import map_with_opencv
from ds3d_pipeline.synthetic.options import PathOptions, SceneOptions
from ds3d_pipeline_tests.poses.captures import make_photos, map_photos

pytestmark = pytest.mark.slow


def test_a_good_capture_gets_no_diagnosis(tmp_path):
    result = map_photos(tmp_path, make_photos(tmp_path / "photos"), map_with_opencv)
    assert result.diagnosis is None
    assert (result.registered, result.largest_gap, result.unregistered_text) == (8, 0, "")
    assert result.evidence.triangulation_angle_deg > 5
    assert result.evidence.points_per_frame > 150


def test_a_turn_on_the_spot_is_refused_and_named(tmp_path):
    photos = make_photos(tmp_path / "photos", path=PathOptions(name="rotation", arc_deg=40))
    with pytest.raises(StageError, match="only rotated"):
        map_photos(tmp_path, photos, map_with_opencv)


def test_a_scene_without_texture_is_named(tmp_path):
    photos = make_photos(tmp_path / "photos", scene=SceneOptions(name="plain"))
    try:
        cause = map_photos(tmp_path, photos, map_with_opencv).diagnosis.cause
    except StageError as error:
        cause = error.cause
    assert "too little texture" in cause
