"""Dagster's instance of a home, opened by one process after the other where it is new."""

import contextlib
from collections.abc import Iterator

import dagster as dg

from ds3d_pipeline.programs.locks import locked
from ds3d_pipeline.storage.home import Home


@contextlib.contextmanager
def open_instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """The instance of a prepared home, with its tables."""
    make_tables(home)
    with dg.DagsterInstance.get() as instance:
        yield instance


def make_tables(home: Home) -> None:
    """Lets Dagster make its tables, once: it fails where another process does the same at that moment."""
    if home.tables_mark.exists():
        return
    with locked(home.locks / "first_start"):
        if not home.tables_mark.exists():
            _use_every_storage()
            home.tables_mark.touch()


def _use_every_storage() -> None:
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
        instance.event_log_storage.get_pool_limits()
        instance.all_instigator_state()
