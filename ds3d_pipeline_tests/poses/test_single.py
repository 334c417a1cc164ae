"""The rung that places one photo alone."""

import math

import cv2
import numpy as np
import pytest

from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.poses.single import single_view
from ds3d_pipeline.programs.contract import Progress, Work
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.scene import Keyframe, Keyframes


def run(folder, focal_px=None):
    """Three photos, the second of them sharpest."""
    (folder / "input" / "images").mkdir(parents=True)
    (folder / "output").mkdir()
    frames = []
    for number, sharpness in enumerate((1.0, 3.0, 2.0), 1):
        name = f"{number:06}.jpg"
        cv2.imwrite(str(folder / "input" / "images" / name), np.full((90, 120, 3), 40 * number, np.uint8))
        frame = Keyframe(
            image=name,
            source=name,
            timestamp_s=None,
            sharpness=sharpness,
            size_wh=(120, 90),
            camera=0,
            focal_px=focal_px,
        )
        frames.append(frame)
    keyframes = Keyframes(kind="photos", frames=tuple(frames), considered=3)
    write_json(folder / "input" / "keyframes.json", keyframes)
    progress = Progress(None)
    return single_view(
        Work(
            input=folder / "input",
            output=folder / "output",
            backend="single",
            options=PosesOptions(),
            progress=progress,
        )
    )


def test_the_sharpest_photo_is_at_the_origin(tmp_path):
    result = run(tmp_path, focal_px=130.0)
    model = read_reconstruction(tmp_path / "output" / "sparse")
    (view,) = model.views
    assert view.image == "000002.jpg"
    np.testing.assert_array_equal(view.cam_from_world, np.eye(4))
    np.testing.assert_array_equal(view.K, [[130, 0, 60], [0, 130, 45], [0, 0, 1]])
    assert len(model.points_in_world) == len(view.point_ids) == 0
    assert [path.name for path in (tmp_path / "output" / "images").iterdir()] == ["000002.jpg"]
    assert (result.registered, result.total, result.points) == (1, 3, 0)
    assert result.mean_reprojection_error_px is None
    assert result.unregistered == ("000001.jpg", "000003.jpg")
    assert result.focal_from == "EXIF"


def test_without_exif_a_phone_is_assumed(tmp_path):
    result = run(tmp_path)
    (view,) = read_reconstruction(tmp_path / "output" / "sparse").views
    assert result.focal_from == "assumed"
    assert view.K[0, 0] == pytest.approx(26 / 43.2666 * math.hypot(120, 90), rel=1e-4)
