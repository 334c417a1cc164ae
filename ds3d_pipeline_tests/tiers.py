"""Which tier a test belongs to, and what happens where a tier that must run would be skipped.

A tier is a marker, and a test has at most one; without any it belongs to the fast tier, which plain `pytest`
runs. `pytest -m slow` runs another tier, `pytest -m ""` runs them all. `DS3D_REQUIRE=docker,data` turns every
skip in those tiers into a failure, so that a machine which should have the tools cannot pass without them.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

TIERS = ("gpu", "cluster", "nightly", "docker", "browser", "data", "slow")
FAST = "fast"
FIXTURES = {"engine": "docker", "own_engine": "docker", "shared_data": "data"}
"""A test that uses one of these fixtures belongs to that tier; the first in `TIERS` wins."""
MOST_PROCESSES = 4
"""Each takes up to 1.5 GB."""
DOES_NOT_APPLY = "does not apply: "
"""A skip whose reason starts like this is right on such a machine, and never a failure."""


def assign(items: Iterable[pytest.Item]) -> None:
    """Gives every test the marker of its tier. Raises UsageError for a test with two."""
    for item in items:
        marked = [tier for tier in TIERS if item.get_closest_marker(tier)]
        if len(marked) > 1:
            raise pytest.UsageError(f"{item.nodeid} has the markers of two tiers: {' and '.join(marked)}.")
        used = {FIXTURES[name] for name in getattr(item, "fixturenames", ()) if name in FIXTURES}
        if used and not marked:
            item.add_marker(min(used, key=TIERS.index))


def tier_of(item: pytest.Item) -> str:
    """The tier of a test, after `assign`."""
    return next((tier for tier in TIERS if item.get_closest_marker(tier)), FAST)


def processes(markers: str, named: Sequence[str], cpus: int) -> int:
    """How many processes share the tests; 0 for this one alone.

    Only the whole fast tier is shared: other tiers measure time and memory, or start servers. A file that is
    named, often with `-s` or `--pdb`, begins at once.
    """
    is_shared = markers.startswith("not (") and not named and cpus > 1
    return min(cpus, MOST_PROCESSES) if is_shared else 0


def required() -> set[str]:
    """The tiers in which nothing may be skipped."""
    return set(filter(None, os.environ.get("DS3D_REQUIRE", "").split(",")))


def refuse_skip(item: pytest.Item, report: pytest.TestReport) -> None:
    """Makes a failure of a skip in a required tier."""
    if not report.skipped or hasattr(report, "wasxfail") or tier_of(item) not in required():
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if DOES_NOT_APPLY not in reason:
        report.outcome = "failed"
        report.longrepr = f"The tier {tier_of(item)} must run here (DS3D_REQUIRE), but: {reason}"


def summary(items: Iterable[pytest.Item]) -> str:
    """How many of the selected tests belong to which tier."""
    counts = Counter(map(tier_of, items))
    return ", ".join(f"{counts[tier]} {tier}" for tier in (FAST, *reversed(TIERS)) if counts[tier])
