"""What a user asks for, as one record."""

from pathlib import Path

import pytest

from ds3d_pipeline.intake.request import chosen_output


@pytest.mark.fault("output in a config")
def test_the_folder_of_a_config_is_used_unless_another_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"metrics": {"output": "made"}}
    assert chosen_output(None, config) == tmp_path / "made"
    assert chosen_output(Path("named"), config) == tmp_path / "named"
    assert chosen_output(None, {"mesh": {}}) == tmp_path / "outputs"
