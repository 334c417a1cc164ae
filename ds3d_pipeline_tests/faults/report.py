"""A pytest plugin for `make faults`: a table of all rows, with what is seen now and how the tests ended."""

from collections import defaultdict
from collections.abc import Iterator

import pytest

from ds3d_pipeline_tests.faults.rows import ROWS

_OUTCOMES: dict[str, dict[str, str]] = defaultdict(dict)
"""Of the tests that ran, by row and id."""


def names_of(item: pytest.Item) -> set[str]:
    """The rows that a test holds."""
    return {name for mark in item.iter_markers("fault") for name in mark.args}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call" or not report.passed:
        for name in names_of(item):
            _OUTCOMES[name][item.nodeid] = report.outcome
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("faults")
    for number, row in enumerate(ROWS.values(), 1):
        ended = _OUTCOMES[row.name]
        terminalreporter.write_line(f"{number:3}. {row.section}: {row.fault}")
        terminalreporter.write_line(f"     now: {row.seen}")
        terminalreporter.write_line(f"     {verdict(ended)}")
        for test in sorted({node.partition("[")[0] for node in ended}):
            terminalreporter.write_line(f"       {test}")
    held = sum(verdict(_OUTCOMES[name]).startswith("passed") for name in ROWS)
    terminalreporter.write_line(f"{held} of {len(ROWS)} rows hold.")


def verdict(ended: dict[str, str]) -> str:
    """Whether all tests of a row passed; `skipped` where the machine lacks what one needs."""
    for outcome in ("failed", "skipped"):
        if outcome in ended.values():
            return f"{outcome}: {', '.join(node for node, word in ended.items() if word == outcome)}"
    return f"passed ({len(ended)} tests)" if ended else "failed: no test ran"
