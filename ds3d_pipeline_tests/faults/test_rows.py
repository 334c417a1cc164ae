"""The table of faults is whole: every row has a test, every mark a row, and every fault tried a row."""

import re

import pytest

from ds3d_pipeline_tests.conftest import SHARED_DATA
from ds3d_pipeline_tests.faults.report import verdict
from ds3d_pipeline_tests.faults.rows import ROWS, marked_names

CASES = SHARED_DATA.parent / "cases" / "robust.md"
_CELLS = re.compile(r"(?<!\\)\|")


def test_every_row_has_a_test_and_every_mark_a_row():
    assert marked_names() == set(ROWS)


@pytest.mark.data
def test_every_fault_that_was_answered_wrongly_is_a_row():
    if not CASES.is_file():
        pytest.skip(f"no list of faults at {CASES}")
    lines = [
        line.strip().strip("|") for line in CASES.read_text("utf-8").splitlines() if line.startswith("|")
    ]
    cells = [[cell.strip() for cell in _CELLS.split(line)] for line in lines]
    tried = [row for row in cells if row[0] != "fault" and set(row[0]) != {"-"}]
    wrong = [row[0].replace("\\|", "|") for row in tried if row[-1] != "ok"]
    assert len(wrong) >= 60
    assert wrong == [row.fault for row in ROWS.values()]


def test_a_row_holds_only_if_all_its_tests_passed():
    assert verdict({"a": "passed", "b": "passed"}) == "passed (2 tests)"
    assert verdict({"a": "passed", "b": "skipped"}) == "skipped: b"
    assert verdict({"a": "skipped", "b": "failed", "c": "passed"}) == "failed: b"
    assert verdict({}) == "failed: no test ran"
