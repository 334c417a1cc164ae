"""Exported files as other libraries read them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import trimesh

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.export.export import NEEDED, ExportRequest, export_capture
from ds3d_pipeline.export.placing import read_crop
from ds3d_pipeline.formats.gltf import read_glb, write_glb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.geometry.conventions import gltf_from_world
from ds3d_pipeline.scene import Mesh
from ds3d_pipeline_tests.finished import publish_finished


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return publish_finished(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def folder(finished, tmp_path, monkeypatch):
    """A finished capture; exports go beside it."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(finished, tmp_path / "wall")


def make_metric(folder):
    path = folder / "metrics.json"
    content = json.loads(path.read_text())
    content["scale"] = {"unit": "m", "from": "gps", "photos": 5, "error_m": 0.5}
    path.write_text(json.dumps(content))


def textured_quad(folder):
    """In place of the capture's mesh: red above, blue below."""
    texture = np.zeros((16, 16, 3), np.uint8)
    texture[:8, :, 0], texture[8:, :, 2] = 250, 250
    mesh = Mesh(
        vertices_in_world=np.float32([[-1, 1, 2], [1, 1, 2], [1, -1, 2], [-1, -1, 2]]),
        faces=np.int32([[0, 2, 1], [0, 3, 2]]),
        uvs=np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]),
        texture=texture,
    )
    write_glb(folder / "model.glb", mesh)
    return mesh


def open_ball(folder):
    """In place of the capture's mesh: a ball without its lower quarter, some way off the origin."""
    ball = trimesh.creation.icosphere(subdivisions=3)
    ball.apply_translation((0, 0, 3))
    open_one = ball.submesh([ball.triangles_center[:, 1] < 0.5], append=True)
    vertices, faces = open_one.vertices.astype(np.float32), open_one.faces.astype(np.int32)
    write_glb(folder / "model.glb", Mesh(vertices_in_world=vertices, faces=faces))


def vertices_in_gltf(folder):
    return gltf_from_world(read_glb(folder / "model.glb")[0].vertices_in_world)


def test_obj_has_the_texture_beside_it_and_the_right_way_up(folder):
    textured_quad(folder)
    exported = export_capture(folder, ExportRequest(format="obj"))
    assert {path.suffix for path in exported.files} == {".obj", ".mtl", ".png"}
    found = trimesh.load(exported.files[0], process=False)
    np.testing.assert_allclose(found.bounds, [[-1, -1, -2], [1, 1, -2]], atol=1e-6)
    picture = np.asarray(found.visual.material.image.convert("RGB"))
    for vertex, (u, v) in zip(found.vertices, found.visual.uv, strict=True):
        pixel = picture[int((1 - v) * 15), int(u * 15)]
        assert pixel[0 if vertex[1] > 0 else 2] > 200, "red is above"


def test_stl_is_closed_z_up_and_in_millimetres(folder):
    make_metric(folder)
    open_ball(folder)
    exported = export_capture(folder, ExportRequest(format="stl"))
    assert exported.note == "Lengths are millimetres."
    found = trimesh.load(exported.files[0])
    assert found.is_watertight
    assert found.volume > 0.7e9 * 4 / 3 * np.pi
    x, y, z = 1000 * vertices_in_gltf(folder).T
    turned = np.stack([x, -z, y], axis=1)
    np.testing.assert_allclose(found.bounds, [turned.min(axis=0), turned.max(axis=0)], rtol=1e-5, atol=1e-3)


def test_an_unknown_scale_is_said_and_may_be_given(folder):
    open_ball(folder)
    exported = export_capture(folder, ExportRequest(format="stl"))
    assert "not known" in exported.note
    given = ExportRequest(format="stl", scale=250.0, up="y", file=folder / "given.stl")
    assert export_capture(folder, given).note == "One unit of the capture is 250 in the file."
    found = trimesh.load(folder / "given.stl")
    expected = 250 * vertices_in_gltf(folder)
    np.testing.assert_allclose(found.extents, np.ptp(expected, axis=0), rtol=1e-5, atol=1e-3)


def test_usdz_opens_with_no_complaint_of_the_validators(folder):
    usd = pytest.importorskip("pxr.Usd")
    validation = pytest.importorskip("pxr.UsdValidation")
    shade = pytest.importorskip("pxr.UsdShade")
    mesh = textured_quad(folder)
    (path,) = export_capture(folder, ExportRequest(format="usdz")).files
    stage = usd.Stage.Open(str(path))
    validators = validation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) > 20
    found = validation.ValidationContext(validators).Validate(stage)
    assert [error.GetMessage() for error in found] == []
    shape = stage.GetPrimAtPath("/capture/mesh")
    points = np.array(shape.GetAttribute("points").Get())
    np.testing.assert_allclose(points, gltf_from_world(mesh.vertices_in_world), atol=1e-6)
    assert shade.MaterialBindingAPI(shape).ComputeBoundMaterial()[0]


def test_las_has_the_points_and_their_colours(folder):
    laspy = pytest.importorskip("laspy")
    (path,) = export_capture(folder, ExportRequest(format="las", up="y")).files
    found = laspy.read(path)
    cloud = read_pointcloud(folder / "pointcloud.ply")
    np.testing.assert_allclose(found.xyz, gltf_from_world(cloud.points_in_world), atol=1e-6)
    np.testing.assert_array_equal(np.asarray(found.red) // 257, cloud.colors[:, 0])


def test_html_is_the_view(folder):
    (path,) = export_capture(folder, ExportRequest(format="html")).files
    assert path.read_bytes() == (folder / "view.html").read_bytes()


@pytest.mark.parametrize("crop", ["0,1,-3,0.6", "-0.5,-0.5,-9,0.5,0.5,9"])
def test_a_crop_keeps_what_is_inside(folder, crop):
    open_ball(folder)
    crop = read_crop(crop)
    (path, *_) = export_capture(folder, ExportRequest(format="obj", crop=crop)).files
    found = trimesh.load(path, process=False)
    assert crop.keeps(found.vertices).all()
    assert 0 < len(found.faces) < len(read_glb(folder / "model.glb")[0].faces)


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"format": "html", "up": "z"}, "html shows the capture as it is"),
        ({"format": "obj", "scale": -1.0}, "-1 is not a scale"),
        ({"format": "obj", "crop": read_crop("90,0,0,1")}, "Nothing of the capture is inside the crop"),
        ({"format": "obj", "file": "nowhere/wall.obj"}, "The folder nowhere does not exist"),
    ],
)
def test_what_cannot_be_written_is_refused_with_a_remedy(folder, tmp_path, fields, cause):
    if "file" in fields:
        fields = fields | {"file": Path(fields["file"])}
    with pytest.raises(InputError, match=cause) as refused:
        export_capture(folder, ExportRequest(**fields))
    assert refused.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["wall"]


def test_what_is_flat_cannot_be_printed(folder):
    textured_quad(folder)
    with pytest.raises(InputError, match="flat, so there is nothing to print"):
        export_capture(folder, ExportRequest(format="stl"))


def test_no_file_is_written_over(folder, tmp_path):
    (tmp_path / "wall.stl").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        export_capture(folder, ExportRequest(format="stl"))
    textured_quad(folder)
    (tmp_path / "wall.mtl").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        export_capture(folder, ExportRequest(format="obj"))
    assert {path.read_text() for path in tmp_path.glob("wall.*")} == {"mine"}


def test_a_missing_library_is_named_with_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(NEEDED, "las", ("no_such_module", "laspy"))
    with pytest.raises(InputError, match=r"needs the package laspy.*ds3d-pipeline\[export\]"):
        export_capture(folder, ExportRequest(format="las"))


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "0,0,0,0", "0,0,0,0,1,1", "0,0,0,nan"])
def test_a_crop_that_is_none_is_refused(text):
    with pytest.raises(InputError, match=r"RADIUS for a ball"):
        read_crop(text)


def test_no_file_beside_the_exported_one_is_touched(folder, tmp_path):
    open_ball(folder)
    theirs = tmp_path / "print.part.stl"
    theirs.write_text("of the user")
    export_capture(folder, ExportRequest(format="stl", file=tmp_path / "print.stl"))
    assert theirs.read_text() == "of the user"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["print.part.stl", "print.stl", "wall"]
