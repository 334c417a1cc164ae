"""The relief of stepped, slanted, holed and flat depth."""

import json

import cv2
import numpy as np
import pytest
import trimesh

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import write_array, write_depth_map
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.geometry.cameras import intrinsics, project, rays
from ds3d_pipeline.mesh.options import MeshOptions, ReliefOptions
from ds3d_pipeline.mesh.relief import borders, relief, triangulate
from ds3d_pipeline.mesh.render import render
from ds3d_pipeline.mesh.stage import poisson, relief_of_best_view
from ds3d_pipeline.poses.single import write_single
from ds3d_pipeline.programs.contract import STAGE_ERROR_EXIT, program_main
from ds3d_pipeline.scene import DepthMap, Keyframe, View
from ds3d_pipeline_tests.formats.test_gltf import validate  # noqa: F401
from ds3d_pipeline_tests.pointcloud.captures import write_capture

SIZE_WH = (160, 120)
K = intrinsics(140.0, SIZE_WH)
NEAR, FAR = 1.0, 1.6


def stepped():
    """A near square in front of a far wall."""
    depth = np.full(SIZE_WH[::-1], FAR, np.float32)
    depth[40:80, 50:110] = NEAR
    return depth


def slanted():
    """A floor: nearer further down."""
    slope = rays(K, SIZE_WH) @ np.array([0, 0.8, 0.6])
    return (1.5 / slope).astype(np.float32)


def wavy():
    y, x = np.mgrid[: SIZE_WH[1], : SIZE_WH[0]]
    return (2 + 0.1 * np.sin(x / 8) * np.cos(y / 9)).astype(np.float32)


def depth_map(depth):
    normals = np.zeros((*depth.shape, 3), np.float32)
    return DepthMap(
        image="000001.png", depth=depth, normals=normals, confidence=np.float32(0.4) * (depth > 0), K=K
    )


def camera(cam_from_world=None):
    pose = np.eye(4) if cam_from_world is None else cam_from_world
    none = np.zeros(0, np.int32)
    return View(image="000001.png", image_size_wh=SIZE_WH, K=K, cam_from_world=pose, point_ids=none)


def photo():
    """Red on the upper left, green on the upper right, blue below."""
    rgb = np.zeros((*SIZE_WH[::-1], 3), np.uint8)
    rgb[:60, :80, 0] = rgb[:60, 80:, 1] = rgb[60:, :, 2] = 230
    return rgb


def made(depth, max_faces=150_000, **options):
    return relief(camera(), depth_map(depth), photo(), max_faces, ReliefOptions(**options))


def test_no_triangle_spans_the_step():
    mesh = made(stepped())
    z = mesh.vertices_in_world[mesh.faces][..., 2]
    np.testing.assert_allclose(np.ptp(z, axis=1), 0, atol=1e-5)
    assert np.unique(np.round(z, 4)).tolist() == pytest.approx([NEAR, FAR], abs=1e-4)


def test_the_step_leaves_a_gap_of_one_pixel_only():
    """The picture drawn from the photo's own camera has holes along the step and nowhere else."""
    mesh = made(stepped())
    drawn = render(mesh, K, np.eye(4), SIZE_WH)
    holes = (drawn == 255).all(axis=2)
    holes[[0, -1]] = holes[:, [0, -1]] = False
    near_edge = cv2.dilate(borders(stepped(), 0.05).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert not (holes & ~near_edge).any()
    assert holes.mean() < 0.02


@pytest.mark.parametrize("make", [stepped, slanted, wavy])
def test_the_photo_is_upright_where_it_was_taken(make):
    drawn = render(made(make()), K, np.eye(4), SIZE_WH).astype(int)
    seen = (drawn != 255).any(axis=2)
    assert seen.mean() > 0.95
    difference = np.abs(drawn - photo()).max(axis=2)[seen]
    assert np.mean(difference > 40) < 0.03


def test_all_triangles_face_the_camera():
    corners = made(wavy()).vertices_in_world[made(wavy()).faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normals * corners[:, 0]).sum(axis=1) < 0).all()


def test_flat_places_take_few_triangles_and_bent_ones_many():
    flat = np.full(SIZE_WH[::-1], 2, np.float32)
    assert len(made(flat).faces) < 100
    assert len(made(slanted()).faces) < 200
    assert len(made(wavy()).faces) > 1000


def test_the_surface_is_the_depth_map():
    vertices = made(wavy()).vertices_in_world
    pixels, z = project(K, np.eye(4), vertices)
    column, row = np.clip(pixels, 0, np.array(SIZE_WH) - 1).astype(int).T
    np.testing.assert_allclose(z, wavy()[row, column], rtol=1e-4)


def test_the_budget_is_kept():
    mesh = made(wavy(), max_faces=500)
    assert 100 < len(mesh.faces) <= 500
    assert mesh.uvs.shape == (len(mesh.vertices_in_world), 2)


def test_unknown_depth_stays_open():
    depth = slanted()
    depth[50:70, 60:90] = 0
    vertices, faces = triangulate(depth, 150_000, ReliefOptions())
    centres = vertices[faces].mean(axis=1)
    inside = (centres > [60.5, 50.5]).all(axis=1) & (centres < [88.5, 68.5]).all(axis=1)
    assert not inside.any()


def test_a_posed_camera_lifts_into_the_world():
    pose = np.array([[0, 0, -1, 0.3], [0, 1, 0, -0.2], [1, 0, 0, 0.5], [0, 0, 0, 1.0]])
    mesh = relief(camera(pose), depth_map(stepped()), photo(), 150_000, ReliefOptions())
    _, depth = project(K, pose, mesh.vertices_in_world)
    assert np.unique(np.round(depth, 3)).tolist() == pytest.approx([NEAR, FAR], abs=1e-3)


def test_scattered_depth_is_no_surface():
    depth = np.zeros(SIZE_WH[::-1], np.float32)
    depth[::10, ::10] = 1
    with pytest.raises(StageError, match="no surface"):
        made(depth)


@pytest.fixture
def one_view(tmp_path):
    """The input of the mesh program with one camera at the origin."""
    (tmp_path / "input" / "images").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "input" / "images" / "000001.png"), photo()[:, :, ::-1])
    frame = Keyframe(
        image="000001.png", source="a.png", timestamp_s=None, sharpness=1, size_wh=SIZE_WH, camera=0
    )
    write_single(tmp_path / "input" / "sparse", frame, K[0, 0])
    write_depth_map(tmp_path / "input", depth_map(stepped()))
    return tmp_path


def run(folder, backend):
    argv = [str(folder / "input"), str(folder / "output"), "--backend", backend]
    return program_main(MeshOptions, {"poisson": poisson, "relief": relief_of_best_view}, argv)


def test_in_the_glb_the_camera_is_at_the_origin_and_looks_along_minus_z(one_view):
    assert run(one_view, "relief") == 0
    loaded = trimesh.load(one_view / "output" / "model.glb", force="mesh", process=False)
    x, y, z = loaded.vertices.T
    assert z.max() == pytest.approx(-NEAR, abs=1e-5)
    assert z.min() == pytest.approx(-FAR, abs=1e-5)
    for along, half, focal in ((x, 80, K[0, 0]), (y, 60, K[1, 1])):
        assert np.abs(along / -z).max() == pytest.approx((half - 0.5) / focal, rel=1e-3)
    texture = loaded.visual.material.baseColorTexture.convert("RGB")
    width, height = texture.size
    upper_left = (x < -0.3) & (y > 0.2)
    assert upper_left.any()
    for u, v in loaded.visual.uv[upper_left]:
        red, green, blue = texture.getpixel((int(u * (width - 1)), int((1 - v) * (height - 1))))
        assert red > 150 > 100 > max(green, blue)


def test_the_numbers_are_the_files(one_view):
    assert run(one_view, "relief") == 0
    numbers = json.loads((one_view / "output" / "result.json").read_text())
    mesh, _ = read_glb(one_view / "output" / "model.glb")
    assert (numbers["vertices"], numbers["faces"]) == (len(mesh.vertices_in_world), len(mesh.faces))
    assert numbers["texture_size"] == 160
    assert (one_view / "output" / "preview.jpg").stat().st_size < 50_000


def test_the_khronos_validator_finds_nothing(one_view, validate):  # noqa: F811
    assert run(one_view, "relief") == 0
    issues = validate(one_view / "output" / "model.glb")
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_poisson_leaves_one_view_to_the_relief(one_view):
    assert run(one_view, "poisson") == STAGE_ERROR_EXIT
    assert "Only one view" in json.loads((one_view / "output" / "error.json").read_text())["cause"]


def test_of_many_views_the_surest_is_lifted(tmp_path):
    (tmp_path / "input").mkdir()
    write_capture(tmp_path / "input", views=3, confidence=0.4)
    surer = np.full(SIZE_WH[::-1], 0.45, np.float32)
    write_array(tmp_path / "input" / "confidence" / "000002.png.bin", surer)
    assert run(tmp_path, "relief") == 0
    mesh, _ = read_glb(tmp_path / "output" / "model.glb")
    np.testing.assert_allclose(mesh.vertices_in_world[:, 2], 3.0, rtol=1e-4)
    assert json.loads((tmp_path / "output" / "result.json").read_text())["view"] == "000002.png"
