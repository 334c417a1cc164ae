"""A registration that was cut off is named, and made whole by the same files."""

import json

import pytest

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.intake.accept import accept, accept_content, check
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import damaged_registrations, upload_files
from ds3d_pipeline_tests.captures import call_ds3d
from ds3d_pipeline_tests.intake.watched.folder import put_photos

OPTIONS = CaptureOptions()


def again_as_command(home, photos):
    return accept([photos], OPTIONS).capture


def again_as_upload(home, photos):
    return accept_content(home, check([photos], OPTIONS)).capture


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return Home(root=tmp_path / "home", storage=str(tmp_path / "storage"))


@pytest.mark.parametrize("again", [again_as_command, again_as_upload])
@pytest.mark.parametrize("lost", [["upload.json"], ["request.json"], ["upload.json", "request.json"]])
def test_a_registration_that_a_full_disk_cut_off_is_named_and_made_whole(home, tmp_path, lost, again):
    photos = put_photos(tmp_path / "room")
    capture = accept([photos], OPTIONS).capture
    whole = {name: path.read_text() for name, path in upload_files(home, capture).items()}
    folder = home.registered / capture
    for name in lost:
        (folder / name).unlink()

    assert damaged_registrations(home) == sorted(folder / name for name in lost)
    done = call_ds3d(home.root, "list", "--json")
    assert json.loads(done.stdout)["name"] == capture
    assert all(str(folder / name) in done.stderr for name in lost)

    assert again(home, photos) == capture
    assert {name: path.read_text() for name, path in upload_files(home, capture).items()} == whole
    assert damaged_registrations(home) == []
