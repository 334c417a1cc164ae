"""The synthetic capture of `ds3d demo`."""

import pytest

from ds3d_pipeline.cli.demo import make_demo


@pytest.mark.slow
def test_a_demo_has_no_photos_of_an_earlier_one(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert len(list(make_demo(4).iterdir())) == 4
    assert len(list(make_demo(3).iterdir())) == 3
