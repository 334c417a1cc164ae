"""What the viewer finds in a folder, and how it thins it."""

import numpy as np
import pytest

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.formats.splat_ply import write_splat_ply
from ds3d_pipeline.geometry.conventions import WORLD_FROM_GLTF
from ds3d_pipeline.viewer import finished
from ds3d_pipeline.viewer.finished import find_finished, read_exhibit, thin_points
from ds3d_pipeline_tests.finished import publish_finished, random_gaussians
from ds3d_pipeline_tests.mesh.shapes import sphere_cloud


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return publish_finished(tmp_path_factory.mktemp("finished"))


def test_everything_of_a_finished_capture_is_found(folder):
    exhibit = read_exhibit(folder)
    assert exhibit.name == "wall"
    assert len(exhibit.reconstruction.views) == 5
    assert len(exhibit.splat.means) == exhibit.gaussians_in_file == 300
    assert len(exhibit.points.points_in_world) == 500
    assert exhibit.mesh.data[:4] == b"glTF"
    np.testing.assert_array_equal(exhibit.mesh.world_from_gltf, WORLD_FROM_GLTF)


def test_a_capture_is_named_by_folder_or_by_name(folder):
    assert find_finished(str(folder), folder) == folder
    assert find_finished("wall", folder.parent) == folder
    with pytest.raises(InputError, match="nowhere"):
        find_finished("nowhere", folder.parent)


def test_a_folder_with_nothing_to_see_is_refused(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(InputError, match="nothing to view"):
        read_exhibit(tmp_path)


def test_thinned_points_stay_paired_with_their_colours():
    whole = sphere_cloud(count=900)
    kept = thin_points(whole, 100)
    assert len(kept.points_in_world) == 100
    assert np.abs(127.5 * (kept.points_in_world + 1) - kept.colors).max() < 1
    assert thin_points(whole, 900) is whole


def test_a_large_splat_is_thinned_and_said_so(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(finished, "SPLAT_BUDGET", 40)
    write_splat_ply(tmp_path / "model.splat.ply", random_gaussians(90))
    exhibit = read_exhibit(tmp_path)
    assert (len(exhibit.splat.means), exhibit.gaussians_in_file) == (40, 90)
