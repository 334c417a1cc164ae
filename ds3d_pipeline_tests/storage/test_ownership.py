"""Nothing of the user's is ever lost: what publishing removes is what we can prove we made."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_capture, publish_failure
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline.storage.ownership import (
    FAILED,
    LEGACY_MARKER,
    MARKER,
    check_output,
    finish_replacing,
    foreign_files,
    read_marker,
    remove_ours,
)
from ds3d_pipeline_tests.finished import make_bundles

STORY = Story(capture="wall", mode="balanced")
FAILURE = Story(
    capture="wall",
    mode="balanced",
    failures=(("poses", (Attempt(backend="opencv", outcome="failed", reason="No."),)),),
)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    return make_bundles(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def published_once(tmp_path_factory, bundles):
    output = tmp_path_factory.mktemp("once")
    publish_capture(STORY, bundles, output)
    return output


@pytest.fixture
def output(tmp_path, published_once):
    """A folder that holds a finished capture of ours."""
    return shutil.copytree(published_once, tmp_path / "out")


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MARKER
    }


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_publishing_again_leaves_nothing_but_what_is_published(output, bundles):
    before = names(output)
    publish_capture(STORY, bundles, output)
    assert names(output) == before
    assert foreign_files(output / "wall", read_marker(output / "wall")) == []


@pytest.mark.fault("files of the user in a result")
def test_the_users_files_in_a_finished_capture_stay(output, bundles):
    folder = output / "wall"
    (folder / "notes.txt").write_text("mine")
    (folder / "images" / "retouched.png").write_bytes(b"mine too")
    (folder / "renders" / "empty").mkdir(parents=True)
    (folder / "link").symlink_to(output)
    publish_capture(STORY, bundles, output)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "images" / "retouched.png").read_bytes() == b"mine too"
    assert (folder / "renders" / "empty").is_dir()
    assert (folder / "link").is_symlink()
    assert list(output.iterdir()) == [folder]


@pytest.mark.parametrize("same_size", [True, False])
@pytest.mark.fault("files of the user in a result")
def test_a_file_of_ours_that_the_user_changed_stays_beside_the_new_one(output, bundles, same_size):
    path = output / "wall" / "model.glb"
    ours = path.read_bytes()
    edited = ours[:-1] + bytes([ours[-1] ^ 1]) if same_size else b"edited in another program"
    path.write_bytes(edited)
    for _ in range(2):
        publish_capture(STORY, bundles, output)
        assert path.read_bytes() == ours
        assert path.with_name("model.yours.glb").read_bytes() == edited
    assert not path.with_name("model.yours-2.glb").exists()


def test_a_copy_of_a_finished_capture_is_still_ours(output, bundles):
    moved = output.with_name("moved")
    shutil.copytree(output, moved, copy_function=shutil.copyfile)
    assert foreign_files(moved / "wall", read_marker(moved / "wall")) == []


def test_a_capture_of_an_earlier_version_is_ours_by_its_metrics(output, bundles):
    (output / "wall" / MARKER).unlink()
    (output / "wall" / "notes.txt").write_text("mine")
    before = names(output)
    publish_capture(STORY, bundles, output)
    assert names(output) == before | {f"wall/{MARKER}"}


@pytest.mark.parametrize(
    "made",
    [
        {"IMG_1.jpg": "a photo"},
        {LEGACY_MARKER: "[]"},
        {LEGACY_MARKER: json.dumps({"capture": "another", "files": {}})},
        {MARKER: "{", "a.txt": ""},
        {MARKER: json.dumps({"capture": "another"}), "a.txt": ""},
        {"deep/er/photo.jpg": ""},
    ],
)
@pytest.mark.parametrize("publish", [publish_capture, publish_failure])
@pytest.mark.fault("input where the result goes", "unusable output")
def test_a_folder_that_is_not_ours_is_refused_and_unchanged(tmp_path, bundles, made, publish):
    for name, text in made.items():
        (tmp_path / "wall" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "wall" / name).write_text(text)
    before = content(tmp_path)
    with pytest.raises(InputError, match="was not made by ds3d"):
        publish(STORY, bundles, tmp_path)
    assert content(tmp_path) == before
    assert names(tmp_path) == {"wall"} | {f"wall/{name}" for name in names(tmp_path / "wall")}


def test_an_empty_folder_of_the_users_is_taken(tmp_path, bundles):
    (tmp_path / "wall").mkdir()
    publish_capture(STORY, bundles, tmp_path)
    assert (tmp_path / "wall" / "model.glb").exists()


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_what_is_no_folder_is_refused(tmp_path, kind):
    path = tmp_path / "wall"
    path.write_text("mine") if kind == "file" else path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is not a folder"):
        check_output(tmp_path, "wall")


@pytest.mark.fault("unusable output")
def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="is not a folder"):
        check_output(tmp_path / "out", "wall")


@pytest.mark.fault("unusable output")
def test_an_output_that_cannot_be_made_is_refused():
    with pytest.raises(InputError, match="cannot be made"):
        check_output(Path("/proc/out"), "wall")


def test_a_check_leaves_no_folder_behind(tmp_path):
    check_output(tmp_path / "deep" / "out", "wall")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["wall", "wall/images", "wall/images/IMG.jpg"])
@pytest.mark.fault("input where the result goes")
def test_an_input_inside_the_result_is_refused(output, name):
    path = output / name
    with pytest.raises(InputError, match="where the result would go"):
        check_output(output, "wall", [path])


def test_a_failure_stands_beside_a_result_and_goes_with_the_next_one(output, bundles):
    folder = output / "wall"
    before = content(folder)
    _, told_in = publish_failure(FAILURE, {"capture": bundles["capture"]}, output)
    assert told_in == folder / FAILED
    assert {name: data for name, data in content(folder).items() if not name.startswith(FAILED)} == before
    (folder / FAILED / "notes.txt").write_text("mine")
    publish_capture(STORY, bundles, output)
    assert names(folder / FAILED) == {"notes.txt"}


@pytest.mark.fault("input where the result goes")
def test_the_users_own_folder_of_that_name_survives_a_failure(output, bundles):
    mine = output / "wall" / FAILED / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    publish_failure(FAILURE, {"capture": bundles["capture"]}, output)
    assert mine.read_text() == "mine"


def cut_after(monkeypatch, renames):
    """Ends the process, as far as Python can, at the rename after so many."""
    rename, left = os.rename, [renames]

    def counted(*paths):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        rename(*paths)

    monkeypatch.setattr(os, "rename", counted)


@pytest.mark.parametrize("renames", range(5))
def test_a_cut_at_any_rename_loses_nothing(output, bundles, monkeypatch, renames):
    folder = output / "wall"
    (folder / "notes.txt").write_text("mine")
    (folder / "model.glb").write_bytes(b"edited")
    with monkeypatch.context() as cut:
        cut_after(cut, renames)
        with contextlib.suppress(KeyboardInterrupt):
            publish_capture(STORY, bundles, output)
    publish_capture(STORY, bundles, output)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "model.yours.glb").read_bytes() == b"edited"
    assert list(output.iterdir()) == [folder]


def test_what_looks_like_scratch_of_ours_but_is_not_stays(output, bundles):
    for suffix in ("part", "old"):
        foreign = output / f".wall.01234567.{suffix}"
        foreign.mkdir()
        (foreign / "mine.txt").write_text("mine")
    publish_capture(STORY, bundles, output)
    assert {path.parent.name for path in output.rglob("mine.txt")} == {
        ".wall.01234567.part",
        ".wall.01234567.old",
    }


@pytest.mark.parametrize("name", [None, "..ds3d.json.0123456789abcdef0123456789abcdef.part"])
def test_scratch_that_a_kill_left_before_its_marker_goes(output, bundles, name):
    begun = output / ".wall.01234567.part"
    begun.mkdir()
    if name:
        (begun / name).write_text("{")
    publish_capture(STORY, bundles, output)
    assert list(output.iterdir()) == [output / "wall"]


def test_an_emptied_folder_that_a_kill_left_goes(output, bundles):
    (output / ".wall.01234567.old").mkdir()
    publish_capture(STORY, bundles, output)
    assert list(output.iterdir()) == [output / "wall"]


def test_removing_a_capture_leaves_the_users_files(output):
    folder = output / "wall"
    (folder / "images" / "mine.png").write_bytes(b"mine")
    assert remove_ours(folder) == ["images/mine.png"]
    assert names(output) == {"wall", "wall/images", "wall/images/mine.png"}
    (folder / "images" / "mine.png").unlink()


def test_removing_a_capture_without_foreign_files_leaves_nothing(output):
    assert remove_ours(output / "wall") == []
    assert list(output.iterdir()) == []


def test_nothing_is_removed_from_a_folder_without_a_marker(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    assert remove_ours(tmp_path) == ["mine.txt"]
    assert finish_replacing(tmp_path, tmp_path / "nothing") == []
    assert (tmp_path / "mine.txt").exists()
