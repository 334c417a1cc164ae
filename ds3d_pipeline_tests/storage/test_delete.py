"""One capture goes whole, and nothing else with it."""

import pytest
from upath import UPath

from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_capture, publish_failure
from ds3d_pipeline.storage.bundles import Attempt, current_version, fetch
from ds3d_pipeline.storage.delete import find_holdings, remove_holdings
from ds3d_pipeline.storage.inventory import list_captures
from ds3d_pipeline.storage.published import index_path, published_folders, publishing
from ds3d_pipeline_tests.finished import make_bundles
from ds3d_pipeline_tests.homes import make_home, put_bundle

FAILURE = (("mesh", (Attempt(backend="poisson", outcome="failed", reason="No surface."),)),)


@pytest.fixture(params=["local", "memory"])
def home(tmp_path, request, monkeypatch):
    """A capture `room` with two stages, and one that is not to be touched."""
    monkeypatch.delenv("DS3D_OUTPUTS", raising=False)
    storage = f"memory://{tmp_path.name}" if request.param == "memory" else None
    home = make_home(tmp_path / "home", storage)
    for capture in ("room", "room-2"):
        for stage in ("poses", "mesh"):
            put_bundle(home, stage, capture, "text")
            fetch(UPath(home.storage) / stage / capture, home.root / "cache")
        (home.registered / capture).mkdir()
        (home.registered / capture / "request.json").write_text("{}")
    return home


def publish(home, capture, output, bundles):
    with publishing(home, capture, output):
        publish_capture(Story(capture=capture, mode="balanced"), bundles, output)
    with publishing(home, capture, output):
        publish_failure(Story(capture=capture, mode="balanced", failures=FAILURE), {}, output)


def remove(home, capture="room", **how):
    holdings = find_holdings(home, capture, **how)
    remove_holdings(holdings)
    return holdings


def test_every_stage_and_the_registration_go_and_other_captures_stay(home):
    assert remove(home).bytes > 0
    assert [capture.name for capture in list_captures(home)] == ["room-2"]
    assert not list((home.root / "cache").glob("*/room"))
    assert current_version(UPath(home.storage) / "mesh" / "room-2")
    assert find_holdings(home, "room").places == ()


def test_results_go_wherever_they_were_published_and_files_of_the_user_stay(home, tmp_path):
    bundles = make_bundles(tmp_path / "bundles")
    for output in (tmp_path / "a", tmp_path / "b"):
        publish(home, "room", output, bundles)
    publish(home, "room-2", tmp_path / "a", bundles)
    mine = tmp_path / "a" / "room" / "images" / "mine.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    assert published_folders(home, "room") == [tmp_path / "a" / "room", tmp_path / "b" / "room"]
    assert remove(home).foreign == (mine,)
    left = [path for path in (tmp_path / "a" / "room").rglob("*") if path.is_file()]
    assert left == [mine]
    assert not (tmp_path / "b" / "room").exists()
    assert (tmp_path / "a" / "room-2" / "metrics.json").exists()
    assert not index_path(home, "room").exists()


def test_results_can_be_kept_and_deleted_later(home, tmp_path):
    publish(home, "room", tmp_path / "a", make_bundles(tmp_path / "bundles"))
    assert remove(home, keep_outputs=True).outputs == ()
    assert (tmp_path / "a" / "room" / "model.glb").exists()
    assert remove(home).outputs == (tmp_path / "a" / "room",)
    assert not (tmp_path / "a" / "room").exists()


def test_a_folder_that_was_replaced_by_one_of_the_users_stays(home, tmp_path):
    with publishing(home, "room", tmp_path / "a"):
        (tmp_path / "a" / "room").mkdir(parents=True)
        (tmp_path / "a" / "room" / "mine.txt").write_text("mine")
    assert remove(home).outputs == ()
    assert (tmp_path / "a" / "room" / "mine.txt").exists()
    assert not index_path(home, "room").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "../home", "a/b", "\0", "s3://x", "C:\\x"])
def test_an_impossible_name_finds_nothing(home, name):
    assert find_holdings(home, name).places == ()
    assert find_holdings(home, name).outputs == ()


class Cut(Exception):
    """Stands for a kill."""


def test_what_was_cut_is_completed_by_the_next_call(tmp_path, monkeypatch):
    home = make_home(tmp_path / "home")
    put_bundle(home, "mesh", "room", "text")
    put_bundle(home, "poses", "room", "text")
    publish(home, "room", tmp_path / "a", make_bundles(tmp_path / "bundles"))

    def cut(path):
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr("ds3d_pipeline.storage.delete.shutil.rmtree", cut)
        with pytest.raises(Cut):
            remove(home)
    assert current_version(UPath(home.storage) / "poses" / "room") is None
    assert index_path(home, "room").exists()
    remove(home)
    assert list_captures(home) == []
    assert not index_path(home, "room").exists()
