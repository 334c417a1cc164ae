"""The script for a machine with an NVIDIA card, on the CPU as far as it goes.

Needs PyTorch and gsplat: `pip install -e ".[cpu,test,gpu-dry]"`. The CPU build of PyTorch is enough.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("card", "compile", "kernels", "fox", "fountain", "pipeline", "long", "goal")
TRAINERS = ("ours", "gsplat default", "gsplat mcmc")
MISSING = [name for name in ("torch", "gsplat") if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(MISSING), reason=f"without {' and '.join(MISSING)}: install the extra gpu-dry"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("gpu")
    environment = os.environ | {"OUT": str(out), "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", str(ROOT / "benchmarks/gpu.sh"), "--dry"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=3500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return out


def rows_of(results: Path, part: str) -> list[dict]:
    return [row for row in json.loads((results / "rows.json").read_text()) if row["part"] == part]


def test_every_part_tells_its_rows_and_none_fails(results):
    rows = json.loads((results / "rows.json").read_text())
    assert {row["part"] for row in rows} == set(PARTS)
    assert [row for row in rows if "time" in row["note"] or "Error" in row["note"]] == []
    assert len((results / "table.txt").read_text().splitlines()) == len(rows) + 1


def test_gsplats_reference_draws_what_our_kernels_draw(results):
    picture, *gradients = rows_of(results, "kernels")
    assert picture["largest"] < 1 / 255
    assert len(gradients) == 5
    assert max(row["off"] for row in gradients) < 2e-3


@pytest.mark.parametrize("part", ["fox", "fountain"])
def test_every_trainer_comes_closer_to_the_photos_with_more_iterations(results, part):
    rows = rows_of(results, part)
    assert len(rows) == 9
    for trainer in TRAINERS:
        scores = [row["ssim"] for row in rows if row["what"] == trainer]
        assert scores[-1] > 1.05 * scores[0]


def test_what_comes_back_is_few_small_files(results):
    files = [path for path in results.rglob("*") if path.is_file()]
    assert len(files) <= 8
    assert max(path.stat().st_size for path in files) < 16 * 2**20
    names = {"table.txt", "rows.json", "fox.jpg", "fountain.jpg", "report.html"}
    assert names <= {path.name for path in files}
