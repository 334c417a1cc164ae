"""Where the cameras of training are read from."""

import numpy as np
import pytest

from ds3d_pipeline.splats.training.photos import read_cameras
from ds3d_pipeline_tests.pointcloud.captures import write_sparse


@pytest.mark.parametrize("place", ["sparse", "sparse/0"])
def test_cameras_of_a_bundle_and_of_a_finished_capture_are_read(tmp_path, place):
    centres = np.array([[0.0, 0, 0], [1, 0, 0]])
    write_sparse(tmp_path / place, centres, 200)
    assert [view.centre_in_world.tolist() for view in read_cameras(tmp_path).views] == centres.tolist()
