"""Every file of one capture shows the same scene in the frame that `metrics.json` gives."""

import json

import numpy as np
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

from ds3d_pipeline.formats.colmap import model_folder, read_reconstruction
from ds3d_pipeline.formats.gltf import write_glb
from ds3d_pipeline.formats.ply import read_pointcloud, write_pointcloud
from ds3d_pipeline.formats.splat_gltf import write_splat_glb
from ds3d_pipeline.formats.splat_ply import read_splat_ply, write_splat_ply
from ds3d_pipeline.formats.spz import write_spz
from ds3d_pipeline.geometry.transforms import transform_points
from ds3d_pipeline.scene import Mesh
from ds3d_pipeline_tests.finished import publish_finished, random_gaussians
from ds3d_pipeline_tests.formats.test_splat_gltf import read as read_splat_glb
from ds3d_pipeline_tests.mesh.shapes import cloud_of
from ds3d_pipeline_tests.poses.inria import read_scene
from ds3d_pipeline_tests.splats.spz import read_spz_as_stored


def test_vertices_gaussians_and_points_lie_on_each_other(tmp_path):
    """Of one scene whose mesh has a vertex where there is a Gaussian and a point."""
    world_from_gltf = json.loads((publish_finished(tmp_path) / "metrics.json").read_text())["world_from_gltf"]
    splat = random_gaussians(90)
    faces = np.arange(90, dtype=np.int32).reshape(-1, 3)
    write_glb(tmp_path / "model.glb", Mesh(vertices_in_world=splat.means, faces=faces))
    write_splat_ply(tmp_path / "model.splat.ply", splat)
    write_spz(tmp_path / "model.spz", splat)
    write_splat_glb(tmp_path / "model.splat.glb", splat)
    write_pointcloud(tmp_path / "pointcloud.ply", cloud_of(splat.means, splat.means, np.full((90, 3), 9)))

    mesh = trimesh.load(tmp_path / "model.glb", force="mesh", process=False)
    document, values = read_splat_glb(tmp_path / "model.splat.glb")
    turn = Rotation.from_quat(document["nodes"][0]["rotation"])
    in_gltf = (
        mesh.vertices,
        turn.apply(values["POSITION"]),
        read_spz_as_stored(tmp_path / "model.spz").means,
    )
    for points in in_gltf:
        np.testing.assert_allclose(transform_points(world_from_gltf, points), splat.means, atol=2e-4)
    in_world = (
        read_splat_ply(tmp_path / "model.splat.ply").means,
        read_pointcloud(tmp_path / "pointcloud.ply").points_in_world,
    )
    for points in in_world:
        np.testing.assert_array_equal(points, splat.means)


def test_the_folder_is_a_scene_of_other_trainers(tmp_path):
    """As Inria's 3DGS reads it: `images/`, and the model in `sparse/0/`."""
    folder = publish_finished(tmp_path)
    cameras = read_scene(folder)
    assert len(cameras) == 5
    model = read_reconstruction(model_folder(folder))
    for camera, view in zip(cameras, model.views, strict=True):
        with Image.open(folder / "images" / view.image) as picture:
            assert picture.size == camera.size_wh == view.image_size_wh
        np.testing.assert_allclose(camera.cam_from_world, view.cam_from_world, atol=1e-9)
        np.testing.assert_allclose(camera.focals, (view.K[0, 0], view.K[1, 1]))
