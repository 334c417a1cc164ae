"""What finished stages show while the others work."""

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.storage.bundles import publish
from ds3d_pipeline.web.growth import MAX_POINTS, Growing, growing_scene, stage_view
from ds3d_pipeline_tests.finished import make_bundles, noise_picture
from ds3d_pipeline_tests.homes import make_home
from ds3d_pipeline_tests.splats.spz import read_spz


@pytest.fixture
def growing(tmp_path):
    """A capture whose stages but the splat are stored."""
    home = make_home(tmp_path)
    for stage, bundle in make_bundles(tmp_path / "bundles").items():
        if stage != "splat":
            publish(bundle, UPath(home.storage) / stage / "fox")
    return Growing(home=home, capture="fox", run_id="run")


@pytest.mark.parametrize("stage", ["keyframes", "depth_maps"])
def test_some_stages_show_a_picture(growing, stage):
    with Image.open(stage_view(growing, stage)) as picture:
        assert picture.format == "JPEG"


def test_the_mesh_is_shown_as_it_is(growing):
    assert stage_view(growing, "mesh") == growing.bundle("mesh") / "model.glb"


def test_sparse_and_dense_points_are_shown_where_they_are(growing):
    model = read_reconstruction(growing.bundle("poses") / "sparse")
    sparse = read_spz(stage_view(growing, "poses"))
    assert np.allclose(sparse.means, model.points_in_world, atol=1e-3)
    dense = read_spz(stage_view(growing, "pointcloud"))
    assert len(dense.means) == 500 < MAX_POINTS
    assert stage_view(growing, "pointcloud") == stage_view(growing, "pointcloud")


def test_the_training_shows_its_newest_picture(growing):
    assert stage_view(growing, "splat") is None
    folder = growing.home.work / "run" / "splat" / "output" / "previews"
    folder.mkdir(parents=True)
    for name in ("0100.jpg", "0250.jpg"):
        noise_picture(folder / name, (8, 8))
    assert stage_view(growing, "splat").name == "0250.jpg"


def test_what_the_run_has_made_is_shown_and_not_what_was_stored_last(growing):
    version = growing.bundle("mesh").name
    older = growing.bundle("mesh").with_name("older")
    older.mkdir()
    (older / "model.glb").write_bytes(b"older")
    run_journal(growing.home, "run").made("mesh", "older")
    assert stage_view(growing, "mesh").read_bytes() == b"older"
    assert Growing(home=growing.home, capture="fox", run_id=None).bundle("mesh").name == version


def test_a_stage_that_is_not_there_shows_nothing(tmp_path):
    empty = Growing(home=make_home(tmp_path), capture="fox", run_id=None)
    assert all(stage_view(empty, stage) is None for stage in ("keyframes", "poses", "mesh", "splat"))
    assert growing_scene(empty).start is None


def test_a_view_begins_at_a_camera_as_soon_as_there_are_some(growing):
    scene = growing_scene(growing)
    model = read_reconstruction(growing.bundle("poses") / "sparse")
    assert scene.start is not None
    assert np.array(scene.cameras).shape == (len(model.views), 15)
    apex, corners = np.array(scene.cameras[0][:3]), np.array(scene.cameras[0][3:]).reshape(4, 3)
    assert np.allclose(apex * (1, -1, -1), model.views[0].centre_in_world)
    middle = corners.mean(axis=0) - apex
    forward = model.views[0].cam_from_world[2, :3] * (1, -1, -1)
    assert middle @ forward / np.linalg.norm(middle) > 0.99
