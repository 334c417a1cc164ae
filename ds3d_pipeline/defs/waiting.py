"""One run of the command line at a time; the next says what it waits for, and sleeps.

So an equal request finds everything made, and two captures never fight for memory. Runs of the daemon are
waited for where they are known to go on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from ds3d_pipeline.defs.asked import Onlooker
from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG, HOUSEKEEPING, PARTITION_TAG, end_dead_runs
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.programs.locks import locked_if_free
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.home import Home

TURN_EVERY_S = 1.0
POLL_S = 2.0
"""Reading the runs costs some 30 ms."""
_RECORD = "turn.json"
_GOING = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Whose turn it is."""

    capture: str
    since: float


@contextlib.contextmanager
def turn(home: Home, capture: str, display: Onlooker) -> Iterator[None]:
    """Holds the one place of the command line in this home; shows once what it has to wait for.

    What `display.look` raises ends the waiting.
    """
    shown: set[Holder] = set()
    while True:
        with locked_if_free(home.locks / "turn") as is_mine:
            if is_mine:
                with _recorded(home, capture):
                    yield
                return
        holder = _holder(home)
        if holder and holder not in shown:
            shown.add(holder)
            display.wait_for(holder.capture, holder.since)
        display.look()
        time.sleep(TURN_EVERY_S)


@contextlib.contextmanager
def _recorded(home: Home, capture: str) -> Iterator[None]:
    record = home.locks / _RECORD
    write_json(record, Holder(capture=capture, since=time.time()))
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def _holder(home: Home) -> Holder | None:
    with contextlib.suppress(FileNotFoundError):
        return read_json(home.locks / _RECORD, Holder)
    return None


def whose_turn(home: Home) -> str | None:
    """The capture that the command line makes right now."""
    with locked_if_free(home.locks / "turn") as is_free:
        holder = None if is_free else _holder(home)
    return holder.capture if holder else None


def await_others(instance: dg.DagsterInstance, home: Home, display: Onlooker) -> None:
    """Returns once the daemon's runs that go on now have ended; not those that start meanwhile."""
    end_dead_runs(instance, home)
    waited_for = {record.dagster_run.run_id: record for record in _going(instance, home)}
    shown: str | None = None
    while waited_for:
        run_id, record = min(waited_for.items(), key=lambda item: _since(item[1]))
        if run_id != shown:
            display.wait_for(record.dagster_run.tags[PARTITION_TAG], _since(record))
            shown = run_id
        display.look()
        time.sleep(POLL_S)
        end_dead_runs(instance, home)
        still = {record.dagster_run.run_id for record in _going(instance, home)}
        waited_for = {run_id: record for run_id, record in waited_for.items() if run_id in still}


def _going(instance: dg.DagsterInstance, home: Home) -> list[dg.RunRecord]:
    """Of runs whose process is not known nobody can say whether they still go on."""
    records = instance.get_run_records(dg.RunsFilter(statuses=_GOING))
    return [record for record in records if _is_waited_for(record.dagster_run, home)]


def _is_waited_for(run: dg.DagsterRun, home: Home) -> bool:
    """The command line's own runs have their lock."""
    is_own = run.tags.get(COMMAND_LINE_TAG) == run.run_id
    counts = run.job_name not in HOUSEKEEPING and PARTITION_TAG in run.tags and not is_own
    return counts and run_journal(home, run.run_id).is_going() is True


def _since(record: dg.RunRecord) -> float:
    return record.start_time or record.create_timestamp.timestamp()
