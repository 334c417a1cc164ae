"""The home as it is found and as it was left by earlier versions."""

import hashlib
from pathlib import Path

import pytest

from ds3d_pipeline.storage import instance_file
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.instance_file import OURS, SHIPPED, describe_instance
from ds3d_pipeline.storage.registrations import Content, register_upload, registered_request


def test_registrations_of_an_older_home_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    home = prepare_home()
    content = Content(kind="video", files=(), sha256="0" * 64, bounds={})
    register_upload(home, "cup", [Path("/films/cup.mp4")], content)
    (tmp_path / "uploads" / "my photos").mkdir(parents=True)
    (tmp_path / "registered" / "cup").rename(tmp_path / "uploads" / "cup")
    (tmp_path / "registered").rmdir()
    request = registered_request(prepare_home(), "cup")
    assert request is not None
    assert request.paths == [Path("/films/cup.mp4")]
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == ["my photos"]


def test_a_change_of_the_instance_file_keeps_the_digest_of_the_earlier_one():
    """So that homes with the earlier one are renewed."""
    assert hashlib.sha256(OURS.read_bytes()).hexdigest() == SHIPPED[-1]


@pytest.mark.fault("home of an earlier version")
def test_an_instance_file_of_an_earlier_version_is_renewed_unless_the_user_changed_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    earlier = "telemetry: {enabled: false}\nconcurrency: {}\n"
    digest = hashlib.sha256(earlier.encode()).hexdigest()
    monkeypatch.setattr(instance_file, "SHIPPED", (digest, SHIPPED[-1]))
    config = prepare_home().config
    config.write_text(earlier)
    prepare_home()
    assert config.read_bytes() == OURS.read_bytes()
    assert describe_instance(config) == "has all settings of this version"

    config.write_text(earlier + "# mine")
    prepare_home()
    assert config.read_text() == earlier + "# mine"
    assert " run_retries, retention, " in describe_instance(config)


@pytest.mark.parametrize("text", ["a: [", "- a", "\ud800"])
def test_an_instance_file_that_cannot_be_read_is_described_so(tmp_path, text):
    (tmp_path / "dagster.yaml").write_text(text, errors="surrogatepass")
    assert describe_instance(tmp_path / "dagster.yaml").startswith("cannot be read")
