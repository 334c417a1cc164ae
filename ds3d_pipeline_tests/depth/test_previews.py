"""The picture that stands in the metadata."""

import cv2
import numpy as np

from ds3d_pipeline.depth.previews import MAX_BYTES, write_preview
from ds3d_pipeline_tests.pointcloud.captures import depth_map


def test_photo_depth_and_normals_stand_above_each_other_in_few_bytes(tmp_path):
    random = np.random.default_rng(0)
    maps = []
    for index in range(4):
        name = f"{index}.png"
        cv2.imwrite(str(tmp_path / name), random.integers(0, 255, (480, 640, 3), dtype=np.uint8))
        depth = random.uniform(1, 3, (480, 640)).astype(np.float32)
        depth[:, :200] = 0
        maps.append(depth_map(name, depth, 1.0))
    write_preview(maps, tmp_path, tmp_path / "preview.jpg")
    assert (tmp_path / "preview.jpg").stat().st_size <= MAX_BYTES
    sheet = cv2.imread(str(tmp_path / "preview.jpg"))
    assert sheet.shape == (3 * 150, 4 * 200, 3)
    # Holes are black, and a wall that faces the camera is blue (127, 127, 255 in RGB).
    assert sheet[320:440, 10:50].mean() < 10
    np.testing.assert_allclose(sheet[320:440, 100:190].mean(axis=(0, 1)), [255, 127, 127], atol=6)
