"""Two captures side by side."""

import json

import pytest

from ds3d_pipeline_tests.captures import call_ds3d
from ds3d_pipeline_tests.finished import publish_finished


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return publish_finished(tmp_path_factory.mktemp("finished"))


def test_the_numbers_of_two_captures_are_in_one_row_each(finished, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    content = json.loads((finished / "metrics.json").read_bytes()) | {"mode": "quality"}
    (other / "metrics.json").write_text(json.dumps(content))
    done = call_ds3d(tmp_path / "home", "compare", finished, other)
    assert done.returncode == 0, done.stderr
    rows = {line.split("  ")[0].strip(): line.split() for line in done.stdout.splitlines()}
    assert rows["mode"] == ["mode", "balanced", "quality"]
    assert rows["Gaussians"] == ["Gaussians", "300", "300"]
    assert rows["held-out PSNR"][-4:] == ["24.5", "dB", "24.5", "dB"]
    assert f"pictures: {other / 'report.html'}" in done.stdout


def test_what_is_no_finished_capture_is_named(finished, tmp_path):
    done = call_ds3d(tmp_path / "home", "compare", finished, "never")
    assert done.returncode == 2
    assert "never is not a finished capture" in done.stderr
