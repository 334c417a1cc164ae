"""The home as it is found and as it was left by earlier versions."""

from pathlib import Path

from ds3d_pipeline.storage.home import prepare_home
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
