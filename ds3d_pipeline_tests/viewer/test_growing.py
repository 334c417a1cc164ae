"""A capture on the screen while it is made."""

import threading

import numpy as np
import pytest
from upath import UPath

from ds3d_pipeline.cli import view
from ds3d_pipeline.cli.view import Made, follow
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.storage.bundles import publish
from ds3d_pipeline.viewer.growing import find_growth, read_growth
from ds3d_pipeline.viewer.server import start_viewer, stop_viewer
from ds3d_pipeline_tests.finished import make_bundles, noise_picture, publish_finished
from ds3d_pipeline_tests.homes import make_home
from ds3d_pipeline_tests.web.waiting import wait_until


@pytest.fixture
def bundles(tmp_path):
    return make_bundles(tmp_path / "bundles")


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path)


def make(home, bundles, *stages):
    """What the run `one` has finished."""
    for stage in stages:
        publish(bundles[stage], UPath(home.storage) / stage / "fox")
        run_journal(home, "one").made(stage, bundles[stage].data_version)


def test_nothing_is_shown_before_a_stage_is_finished(home):
    exhibit = read_growth(find_growth(home, "fox", "one"))
    assert (exhibit.reconstruction, exhibit.points, exhibit.mesh, exhibit.picture) == (None,) * 4
    assert exhibit.note == "Still being made. There so far: nothing to see."


def test_each_finished_stage_adds_what_it_has_made(home, bundles):
    make(home, bundles, "keyframes")
    found = find_growth(home, "fox", "one")
    assert found.picture == found.folders["keyframes"] / "contact_sheet.jpg"
    make(home, bundles, "poses")
    exhibit = read_growth(find_growth(home, "fox", "one"))
    assert all((exhibit.images / view.image).is_file() for view in exhibit.reconstruction.views)
    assert exhibit.points is None
    make(home, bundles, "depth_maps", "pointcloud", "mesh")
    exhibit = read_growth(find_growth(home, "fox", "one"))
    assert len(exhibit.points.points_in_world) == 500
    assert np.allclose(exhibit.mesh.world_from_gltf[3], (0, 0, 0, 1))
    assert exhibit.note.endswith("keyframes, cameras and sparse points, dense points, the mesh.")


def test_what_an_earlier_run_stored_is_not_shown(home, bundles):
    publish(bundles["mesh"], UPath(home.storage) / "mesh" / "fox")
    assert find_growth(home, "fox", "one").folders == {}


def test_the_picture_is_the_newest_of_the_training(home, bundles):
    make(home, bundles, "keyframes")
    folder = home.work / "one" / "splat" / "output" / "previews"
    folder.mkdir(parents=True)
    for name in ("0100.jpg", "0250.jpg"):
        noise_picture(folder / name, (8, 8))
    assert find_growth(home, "fox", "one").picture == folder / "0250.jpg"


def test_the_screen_follows_until_the_capture_is_finished(home, bundles, tmp_path, monkeypatch):
    monkeypatch.setattr(view, "LOOK_EVERY_S", 0.01)
    made = Made(home=home, capture="fox", run_id="one", output=tmp_path / "outputs")
    said: list[str] = []
    server = start_viewer(read_growth(made.growth()), 8400)
    thread = threading.Thread(target=follow, args=(server, made, said.append))
    thread.start()
    try:
        make(home, bundles, "keyframes", "poses")
        wait_until(lambda: said and "sparse points" in said[-1])
        assert "/sparse" in server.scene._handle_from_node_name
        make(home, bundles, "pointcloud")
        wait_until(lambda: "dense points" in said[-1])
        assert {"/points", "/sparse"} & set(server.scene._handle_from_node_name) == {"/points"}
    finally:
        made.output.mkdir()
        publish_finished(tmp_path / "made", "fox").rename(made.output / "fox")
        thread.join(30)
        stop_viewer(server)
    assert said[-1].startswith("Finished: ")
    assert "/splat" in server.scene._handle_from_node_name


def test_what_nobody_makes_and_nobody_made_is_not_viewed(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with pytest.raises(InputError, match="There is no finished capture"):
        view.view("fox", tmp_path, port=8400, open_browser=False, say=print)
