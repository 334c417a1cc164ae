"""Dagster's instance of a home, opened by one process after the other where it is new."""

import contextlib
from collections.abc import Iterator

import dagster as dg

from ds3d_pipeline.programs.locks import locked
from ds3d_pipeline.storage.home import Home


@contextlib.contextmanager
def open_instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """The instance of a prepared home.

    Dagster makes its tables at the first use of each storage, and fails where another process does the same.
    """
    made = home.locks / "instance_made"
    if not made.exists():
        with locked(home.locks / "first_start"):
            if not made.exists():
                _make_tables()
                made.touch()
    with dg.DagsterInstance.get() as instance:
        yield instance


def _make_tables() -> None:
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
        instance.event_log_storage.get_pool_limits()
        instance.all_instigator_state()
