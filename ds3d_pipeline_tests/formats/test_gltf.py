import json
import subprocess

import numpy as np
import pytest
import trimesh

from ds3d_pipeline import __version__
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.gltf import (
    _read_chunks,
    linear_from_srgb,
    name_parts,
    read_glb,
    srgb_from_linear,
    vertex_normals,
    write_chunks,
    write_glb,
)
from ds3d_pipeline.geometry.conventions import WORLD_FROM_GLTF
from ds3d_pipeline.geometry.transforms import transform_points
from ds3d_pipeline.scene import Mesh
from ds3d_pipeline_tests.node import install, node_and_npm

VALIDATOR = "gltf-validator@2.0.0-dev.3.10"
SCRIPT = """
const validator = require('gltf-validator');
const data = new Uint8Array(require('fs').readFileSync(process.argv[1]));
validator.validateBytes(data).then(report => console.log(JSON.stringify(report.issues)));
"""


def tetrahedron(**fields):
    """One corner points to +y, which is down in the world."""
    vertices = np.array([[5, -1, 3], [6, -2, 2], [4, -2, 2], [5, -2, 4]], np.float32)
    faces = np.array([[1, 3, 2], [0, 1, 2], [0, 2, 3], [0, 3, 1]], np.int32)
    return Mesh(vertices_in_world=vertices, faces=faces, **fields)


def colored():
    colors = np.array([[255, 0, 10], [0, 128, 5], [1, 2, 3], [200, 100, 50]], np.uint8)
    return tetrahedron(vertex_colors=colors)


def textured():
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:32, :, 0], texture[32:, :, 2] = 250, 250
    uvs = np.array([[0.1, 0.9], [0.9, 0.9], [0.1, 0.2], [0.9, 0.2]], np.float32)
    return tetrahedron(uvs=uvs, texture=texture)


def written(tmp_path, mesh):
    path = tmp_path / "model.glb"
    write_glb(path, mesh)
    return path


def document_of(path):
    content = path.read_bytes()
    return json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])


@pytest.mark.parametrize("make", [colored, textured])
def test_round_trip(tmp_path, make):
    path = written(tmp_path, make())
    mesh, transform = read_glb(path)
    np.testing.assert_array_equal(transform, WORLD_FROM_GLTF)
    np.testing.assert_allclose(mesh.vertices_in_world, make().vertices_in_world, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, make().faces)
    if make is colored:
        np.testing.assert_array_equal(mesh.vertex_colors, make().vertex_colors)
    else:
        np.testing.assert_allclose(mesh.uvs, make().uvs, atol=1e-6)
        assert np.abs(mesh.texture.astype(int) - make().texture).mean() < 3


def test_trimesh_sees_y_up_the_worlds_origin_and_linear_colors(tmp_path):
    path = written(tmp_path, colored())
    loaded = trimesh.load(path, force="mesh", process=False)
    np.testing.assert_allclose(
        transform_points(WORLD_FROM_GLTF, loaded.vertices), colored().vertices_in_world, atol=1e-6
    )
    assert loaded.vertices[0, 1] == loaded.vertices[:, 1].min(), "down in the world is -y in glTF"
    assert loaded.is_winding_consistent
    assert loaded.volume > 0
    assert document_of(path)["nodes"][0]["extras"]["world_from_gltf"] == WORLD_FROM_GLTF.tolist()


def test_names_carry_the_capture_and_the_file_its_maker(tmp_path):
    path = written(tmp_path, textured())
    before = read_glb(path)[0]
    name_parts(path, "fox-1")
    document = document_of(path)
    kinds = ("nodes", "meshes", "materials")
    assert [document[kind][0]["name"] for kind in kinds] == ["fox-1 mesh", "fox-1 mesh", "fox-1 photos"]
    assert document["asset"]["generator"] == f"ds3d {__version__}"
    np.testing.assert_array_equal(read_glb(path)[0].texture, before.texture)


def test_a_mesh_that_an_earlier_version_centred_is_read_where_it_was(tmp_path):
    path = written(tmp_path, colored())
    document, buffer = _read_chunks(path)
    document["nodes"][0]["extras"]["world_from_gltf"][0][3] = 7.0
    write_chunks(path, document, buffer)
    moved, world_from_gltf = read_glb(path)
    assert world_from_gltf[0, 3] == 7
    shift = moved.vertices_in_world - colored().vertices_in_world
    np.testing.assert_allclose(shift, np.tile([7, 0, 0], (4, 1)), atol=1e-6)


def test_dark_colors_stay_apart(tmp_path):
    ramp = np.repeat(np.arange(4, dtype=np.uint8)[:, None], 3, axis=1)
    path = written(tmp_path, tetrahedron(vertex_colors=ramp))
    np.testing.assert_array_equal(read_glb(path)[0].vertex_colors, ramp)


def test_trimesh_reads_the_texture(tmp_path):
    path = written(tmp_path, textured())
    loaded = trimesh.load(path, force="mesh", process=False)
    colors = loaded.visual.material.baseColorTexture.convert("RGB")
    for uv, expected in zip(
        loaded.visual.uv, [(250, 0, 0), (250, 0, 0), (0, 0, 250), (0, 0, 250)], strict=True
    ):
        found = np.array(colors.getpixel((int(uv[0] * 64), int((1 - uv[1]) * 64))))
        assert np.abs(found - expected).max() < 20


def test_srgb_curve_has_the_standards_values():
    assert linear_from_srgb(0.5) == pytest.approx(0.214041, abs=1e-6)
    values = np.linspace(0, 1, 256)
    np.testing.assert_allclose(srgb_from_linear(linear_from_srgb(values)), values, atol=1e-6)


def test_normals_are_smooth_over_doubled_vertices():
    mesh = tetrahedron()
    doubled = Mesh(
        vertices_in_world=mesh.vertices_in_world[mesh.faces.reshape(-1)],
        faces=np.arange(12, dtype=np.int32).reshape(4, 3),
    )
    normals = [vertex_normals(m.vertices_in_world.astype(np.float64), m.faces) for m in (mesh, doubled)]
    np.testing.assert_allclose(normals[0][0], [0, 1, 0], atol=0.3)
    np.testing.assert_allclose(normals[0][mesh.faces.reshape(-1)], normals[1], atol=1e-5)


def test_no_faces_is_refused(tmp_path):
    empty = Mesh(vertices_in_world=np.zeros((0, 3), np.float32), faces=np.zeros((0, 3), np.int32))
    with pytest.raises(ValueError, match="without faces"):
        write_glb(tmp_path / "model.glb", empty)


def test_damaged_file_is_named(tmp_path):
    path = written(tmp_path, colored())
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(StageError, match=r"model\.glb"):
        read_glb(path)


@pytest.fixture(scope="session")
def validate(tmp_path_factory):
    """The Khronos validator: a function from a file to its errors and warnings."""
    node, _ = node_and_npm()
    folder = install(tmp_path_factory.mktemp("validator"), VALIDATOR)

    def run(path):
        command = [node, "-e", SCRIPT, str(path)]
        return json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("make", [colored, textured, tetrahedron])
def test_khronos_validator_finds_nothing(tmp_path, validate, make):
    issues = validate(written(tmp_path, make()))
    assert issues["numErrors"] == 0, issues["messages"]
    assert issues["numWarnings"] == 0, issues["messages"]


@pytest.mark.slow
def test_khronos_validator_finds_a_cut_file(tmp_path, validate):
    path = written(tmp_path, colored())
    path.write_bytes(path.read_bytes()[:-8])
    assert validate(path)["numErrors"] > 0
