"""The example notebooks, run cell by cell."""

import json
from pathlib import Path

import numpy as np
import pytest

import ds3d_pipeline

EXAMPLES = Path(ds3d_pipeline.__file__).parents[1] / "examples"


def code_cells(name: str) -> list[str]:
    """The code of a notebook, cell by cell."""
    notebook = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_the_first_capture_is_reconstructed_and_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for number, code in enumerate(code_cells("first_capture.ipynb")):
        exec(compile(code, f"first_capture.ipynb, cell {number}", "exec"), names)
    assert names["capture"].status == "ok"
    assert (tmp_path / "first_capture" / "outputs" / "first" / "report.html").is_file()
    # The points lie where the photo shows them: most drawn pixels are like the photo's.
    photo, drawn = names["photo"].astype(float), names["drawn"].astype(float)
    covered = drawn.any(axis=2)
    assert covered.mean() > 0.1
    assert np.median(np.abs(photo - drawn)[covered]) < 20
