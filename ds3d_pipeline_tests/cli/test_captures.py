"""What `ds3d status` says of the latest finished run."""

import json

import pytest

from ds3d_pipeline.cli.captures import print_status
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
