"""Files that cannot be read back, or hold what they must not, are found."""

from dataclasses import replace

import numpy as np
import pytest

from ds3d_pipeline.execution.validity import MOST, find_faults
from ds3d_pipeline.formats.colmap import write_array
from ds3d_pipeline.formats.gltf import write_glb
from ds3d_pipeline_tests.finished import make_bundles
from ds3d_pipeline_tests.mesh.shapes import grid_mesh

CHECKED = {
    "poses": "sparse/images.bin",
    "pointcloud": "pointcloud.ply",
    "mesh": "model.glb",
    "splat": "splat.ply",
}


@pytest.fixture
def folders(tmp_path):
    return {stage: bundle.folder for stage, bundle in make_bundles(tmp_path).items()}


def depth_folder(tmp_path, **maps):
    for name, depth in maps.items():
        write_array(tmp_path / "depth" / f"{name}.jpg.bin", np.asarray(depth, np.float32))
    return tmp_path


@pytest.mark.parametrize("stage", [*CHECKED, "keyframes", "capture"])
def test_sound_files_have_no_fault(folders, stage):
    assert find_faults(stage, folders[stage]) == ()


@pytest.mark.parametrize(("stage", "name"), CHECKED.items())
def test_half_a_file_is_found_and_named(folders, stage, name):
    path = folders[stage] / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (fault,) = find_faults(stage, folders[stage])
    assert str(path.parent if stage == "poses" else path) in fault


def test_a_missing_image_of_a_view_is_named(folders):
    first = sorted((folders["poses"] / "images").iterdir())[0]
    first.unlink()
    assert find_faults("poses", folders["poses"]) == (f"The undistorted image {first.name} is missing.",)


def test_at_most_a_few_faults_are_told(folders):
    for path in (folders["poses"] / "images").iterdir():
        path.unlink()
    assert len(find_faults("poses", folders["poses"])) == MOST


def test_depth_must_be_finite_not_negative_and_somewhere_known(tmp_path):
    good = depth_folder(tmp_path / "good", a=[[0, 1.5]], b=[[0, 0]])
    assert find_faults("depth_maps", good) == ()
    wrong = depth_folder(tmp_path / "wrong", a=[[np.nan, 1]], b=[[-1, 1]])
    assert [fault.split()[0] for fault in find_faults("depth_maps", wrong)] == ["a.jpg.bin", "b.jpg.bin"]
    none = depth_folder(tmp_path / "none", a=[[0, 0]])
    assert find_faults("depth_maps", none) == ("None of the 1 depth maps contains any depth.",)


def test_a_mesh_must_be_finite_and_have_an_extent(tmp_path):
    mesh = grid_mesh()
    broken = mesh.vertices_in_world.copy()
    broken[0, 0] = np.nan
    write_glb(tmp_path / "model.glb", replace(mesh, vertices_in_world=0 * mesh.vertices_in_world))
    assert find_faults("mesh", tmp_path) == ("model.glb is a single point.",)
    write_glb(tmp_path / "model.glb", replace(mesh, vertices_in_world=broken))
    assert "model.glb contains vertices that are not finite." in find_faults("mesh", tmp_path)
