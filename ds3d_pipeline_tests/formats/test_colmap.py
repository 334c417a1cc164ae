"""COLMAP's files against pycolmap's own readers and writers."""

import numpy as np
import pycolmap
import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import (
    read_array,
    read_depth_maps,
    read_reconstruction,
    write_array,
    write_depth_map,
)
from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.scene import DepthMap


def synthesize(model_id: pycolmap.CameraModelId = pycolmap.CameraModelId.PINHOLE) -> pycolmap.Reconstruction:
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 5
    options.num_points3D = 40
    options.camera_model_id = model_id
    is_radial = model_id == pycolmap.CameraModelId.RADIAL
    options.camera_params = [1280, 512, 384, 0.05, 0.01] if is_radial else [1280, 1290, 512, 384]
    pycolmap.set_random_seed(0)
    return pycolmap.synthesize_dataset(options)


@pytest.fixture
def sparse(tmp_path):
    model = synthesize()
    folder = tmp_path / "sparse"
    folder.mkdir()
    model.write(folder)
    return folder, model


def test_views_equal_pycolmaps(sparse):
    folder, model = sparse
    ours = read_reconstruction(folder)
    assert [view.image for view in ours.views] == sorted(image.name for image in model.images.values())
    for view in ours.views:
        theirs = model.find_image_with_name(view.image)
        np.testing.assert_allclose(view.cam_from_world[:3], theirs.cam_from_world().matrix(), atol=1e-12)
        np.testing.assert_allclose(view.centre_in_world, theirs.projection_center(), atol=1e-9)
        np.testing.assert_allclose(view.K, theirs.camera.calibration_matrix())
        assert view.image_size_wh == (theirs.camera.width, theirs.camera.height)


def test_points_project_onto_their_observations(sparse):
    folder, model = sparse
    ours = read_reconstruction(folder)
    assert len(ours.points_in_world) == len(model.points3D) == len(ours.errors_px) == len(ours.colors)
    np.testing.assert_array_equal(
        ours.track_lengths, [model.points3D[i].track.length() for i in sorted(model.points3D)]
    )
    for view in ours.views:
        uv, _ = project(view.K, view.cam_from_world, ours.points_in_world[view.point_ids])
        seen = np.array([p.xy for p in model.find_image_with_name(view.image).get_observation_points2D()])
        assert len(seen) == len(view.point_ids) > 0
        nearest = np.linalg.norm(uv[:, None] - seen[None], axis=2).min(axis=1)
        assert nearest.max() < 1e-6


def test_distorted_cameras_are_refused(tmp_path):
    synthesize(pycolmap.CameraModelId.RADIAL).write(tmp_path)
    with pytest.raises(ValueError, match="got RADIAL, expected PINHOLE"):
        read_reconstruction(tmp_path)


def test_missing_and_damaged_models_are_named(sparse):
    folder, _ = sparse
    (folder / "images.bin").write_bytes((folder / "images.bin").read_bytes()[:50])
    with pytest.raises(StageError, match="sparse"):
        read_reconstruction(folder)
    (folder / "points3D.bin").unlink()
    with pytest.raises(StageError, match=r"points3D\.bin"):
        read_reconstruction(folder)


def test_arrays_equal_pycolmaps(tmp_path):
    """Normals are compared through COLMAP's picture of them: its `to_array` hands out the planes unsorted."""
    random = np.random.default_rng(0)
    depth = random.random((5, 7), np.float32)
    normals = random.uniform(-1, 1, (5, 7, 3)).astype(np.float32)
    normals[:, :, 2] = -np.abs(normals[:, :, 2])
    write_array(tmp_path / "depth.bin", depth)
    write_array(tmp_path / "normal.bin", normals)
    theirs, their_normals = pycolmap.DepthMap(), pycolmap.NormalMap()
    theirs.read(tmp_path / "depth.bin")
    their_normals.read(tmp_path / "normal.bin")
    np.testing.assert_array_equal(theirs.to_array(), depth)
    colors = np.concatenate([127.5 * (1 - normals[:, :, :2]), -255 * normals[:, :, 2:]], axis=2)
    np.testing.assert_allclose(their_normals.to_bitmap().to_array(), colors, atol=1.01)
    their_normals.write(tmp_path / "theirs.bin")
    np.testing.assert_array_equal(read_array(tmp_path / "theirs.bin"), normals)
    np.testing.assert_array_equal(read_array(tmp_path / "depth.bin"), depth)


@pytest.mark.parametrize("content", [b"", b"7&5&1&abc", b"hello world", b"7&5&1"])
def test_damaged_arrays_are_named(tmp_path, content):
    (tmp_path / "broken.bin").write_bytes(content)
    with pytest.raises(StageError, match=r"broken\.bin"):
        read_array(tmp_path / "broken.bin")


def test_depth_maps_round_trip_with_scaled_intrinsics(sparse, tmp_path):
    reconstruction = read_reconstruction(sparse[0])
    view = reconstruction.views[2]
    width, height = view.image_size_wh[0] // 4, view.image_size_wh[1] // 2
    random = np.random.default_rng(1)
    written = DepthMap(
        image=view.image,
        depth=random.random((height, width), np.float32),
        normals=random.random((height, width, 3), np.float32),
        confidence=random.random((height, width), np.float32),
        K=np.diag([0.25, 0.5, 1.0]) @ view.K,
    )
    write_depth_map(tmp_path, written)
    (read,) = read_depth_maps(tmp_path, reconstruction)
    assert read.image == view.image
    for name in ("depth", "normals", "confidence", "K"):
        np.testing.assert_allclose(getattr(read, name), getattr(written, name))
