"""What `ds3d list` and `ds3d status` say of captures."""

import json

import pytest

from ds3d_pipeline.cli.captures import print_captures, print_status
from ds3d_pipeline.storage.published import publishing
from ds3d_pipeline_tests.finished import publish_finished
from ds3d_pipeline_tests.homes import make_home, put_bundle
from ds3d_pipeline_tests.report.metrics import NOTHING


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"status": "degraded", "reasons": ["No depth."]}, "run: degraded, mode balanced\n  No depth.\n"),
        ({"status": "splendid"}, "written by another version of ds3d.\n"),
    ],
)
def test_the_word_of_the_latest_finished_run(tmp_path, monkeypatch, capsys, changed, said):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    put_bundle(make_home(tmp_path), "metrics", "wall", json.dumps({**NOTHING, **changed}))
    print_status("wall", as_json=False)
    assert capsys.readouterr().out.endswith(said)


def test_the_list_shows_where_the_files_of_a_capture_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home = make_home(tmp_path / "home")
    put_bundle(home, "metrics", "wall", json.dumps(NOTHING))
    folder = publish_finished(tmp_path)
    with publishing(home, "wall", folder.parent):
        pass
    print_captures(as_json=False)
    assert str(folder) in capsys.readouterr().out
    print_captures(as_json=True)
    assert json.loads(capsys.readouterr().out)["folders"] == [str(folder)]
