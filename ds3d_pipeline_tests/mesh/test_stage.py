import json

import numpy as np
import pytest
import trimesh

from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.formats.ply import read_pointcloud, write_pointcloud
from ds3d_pipeline.geometry.conventions import gltf_from_world
from ds3d_pipeline.mesh.options import MeshOptions
from ds3d_pipeline.mesh.stage import poisson
from ds3d_pipeline.pointcloud.cleaning import select
from ds3d_pipeline.programs.contract import STAGE_ERROR_EXIT, program_main
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline_tests.mesh.shapes import sample_surface
from ds3d_pipeline_tests.pointcloud.captures import WALL_Z, wall_color, write_capture
from ds3d_pipeline_tests.pointcloud.test_stage import run as run_pointcloud


@pytest.fixture
def capture(tmp_path):
    """A wall, fused."""
    (tmp_path / "input").mkdir()
    write_capture(tmp_path / "input")
    assert run_pointcloud(tmp_path) == 0
    (tmp_path / "output" / "pointcloud.ply").rename(tmp_path / "input" / "pointcloud.ply")
    return tmp_path


def run(tmp_path, **options):
    write_json(tmp_path / "options.json", MeshOptions(**{"poisson_depth": 7, **options}))
    argv = [str(tmp_path / "input"), str(tmp_path / "model"), "--options", str(tmp_path / "options.json")]
    return program_main(MeshOptions, {"poisson": poisson}, argv)


def test_wall_becomes_a_colored_sheet(capture):
    assert run(capture, max_faces=2000, texture_px=0) == 0
    numbers = json.loads((capture / "model" / "result.json").read_text())
    mesh, _ = read_glb(capture / "model" / "model.glb")
    assert 500 < numbers["faces"] == len(mesh.faces) <= 2000
    samples = sample_surface(mesh, 5000)
    # An open border bends within the finest cell of the octree, a 128th of the cube around the points.
    half_cell = 0.5 * 1.1 * np.ptp(mesh.vertices_in_world, axis=0).max() / 2**7
    error = np.abs(samples.points[:, 2] - WALL_Z)
    assert error.max() < half_cell
    assert np.median(error) < 0.05 * half_cell
    assert (samples.normals[:, 2] < -0.9).all(), "the front looks at the cameras"
    assert np.abs(mesh.vertex_colors - wall_color(mesh.vertices_in_world)).mean() < 3
    assert (capture / "model" / "preview.jpg").stat().st_size < 50_000


def test_the_texture_shows_the_walls_colors(capture):
    assert run(capture, max_faces=2000, texture_px=512) == 0
    mesh, _ = read_glb(capture / "model" / "model.glb")
    assert mesh.texture is not None
    assert mesh.uvs is not None
    assert max(mesh.texture.shape[:2]) <= 512
    centres = mesh.vertices_in_world[mesh.faces].mean(axis=1)
    u, v = (mesh.uvs[mesh.faces].mean(axis=1) * [1, -1] + [0, 1]).T
    height, width = mesh.texture.shape[:2]
    rows, columns = (v * height).astype(int), (u * width).astype(int)
    assert np.abs(mesh.texture[rows, columns] - wall_color(centres)).mean() < 8


def test_trimesh_opens_it(capture):
    run(capture, max_faces=2000, texture_px=0)
    (loaded,) = trimesh.load_scene(capture / "model" / "model.glb", process=False).geometry.values()
    mesh, _ = read_glb(capture / "model" / "model.glb")
    np.testing.assert_allclose(loaded.vertices, gltf_from_world(mesh.vertices_in_world), atol=1e-5)
    assert abs(np.median(loaded.vertices[:, 2]) + WALL_Z) < 0.01, "in front of the first camera, y up"
    assert len(loaded.visual.vertex_attributes["color"]) == len(loaded.vertices)


def test_too_few_points_is_an_error(capture):
    cloud = capture / "input" / "pointcloud.ply"
    write_pointcloud(cloud, select(read_pointcloud(cloud), np.arange(30)))
    assert run(capture) == STAGE_ERROR_EXIT
    error = json.loads((capture / "model" / "error.json").read_text())
    assert "has only 30 points" in error["cause"]
