"""Whether a Dagster daemon works for a home, whoever started it.

Ours (`defs.daemon`) leaves a heartbeat in the home, which no change of the clock alters. Of others there is
only what Dagster notes: the time of the last beat, by their clock. So it is watched whether that goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import dagster as dg

from ds3d_pipeline.defs.daemon import daemon_folder
from ds3d_pipeline.execution import heartbeat
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.home import Home

FRESH_S = 75.0
"""Dagster's daemon says every 30 s that it lives; one that said nothing for longer than this does not."""
DAEMONS = ("SENSOR", "QUEUED_RUN_COORDINATOR")
_NEXT_BEAT_S = 40.0


class DaemonWatch:
    """Asked again and again; from one thread at a time."""

    def __init__(self, home: Home, clock: Callable[[], float] = time.monotonic) -> None:
        self._home, self._clock = home, clock
        self._seen: tuple[float, float] | None = None
        """The last beat that Dagster noted, and when by our clock it was seen to be a new one."""

    def goes_on(self, instance: dg.DagsterInstance) -> bool:
        """Whether the daemon works, as far as can be known."""
        is_ours_going, beat, now = (
            heartbeat.is_going(daemon_folder(self._home)),
            _last_beat(instance),
            self._clock(),
        )
        if self._seen is None:
            # What ours noted before it was killed says nothing; without one, only the time can tell.
            is_fresh = is_ours_going is None and heartbeat_age_s(instance) < FRESH_S
            self._seen = (beat, now if is_fresh else -math.inf)
        elif beat != self._seen[0]:
            self._seen = (beat, now)
        return is_ours_going is True or now - self._seen[1] < FRESH_S


def heartbeat_age_s(instance: dg.DagsterInstance) -> float:
    """How long ago the daemon last said that it lives; Dagster's `healthy` is true for half an hour after."""
    return time.time() - _last_beat(instance)


def _last_beat(instance: dg.DagsterInstance) -> float:
    return min((at for at, _ in beats(instance)), default=0.0)


def beats(instance: dg.DagsterInstance) -> list[tuple[float, str]]:
    """When each part of the daemon last beat, and which daemon that was."""
    found = [status.last_heartbeat for status in instance.get_daemon_statuses(DAEMONS).values()]
    return [(beat.timestamp, str(beat.daemon_id)) if beat else (0.0, "") for beat in found]


def daemon_beats(
    home: Home, instance: dg.DagsterInstance, is_wanted: Callable[[], bool], wait_s: float = _NEXT_BEAT_S
) -> bool:
    """Whether a daemon runs, looked for as long as that `is_wanted`.

    A fresh beat in Dagster may be the last one of a daemon that has ended: so the next one is waited for,
    unless it was the daemon of an earlier server, which ended with it.
    """
    if heartbeat.is_going(daemon_folder(home)):
        return True
    first = beats(instance)
    if heartbeat_age_s(instance) > FRESH_S or {of for _, of in first} <= set(_own_daemons(home)):
        return False
    end = time.monotonic() + wait_s
    while is_wanted() and time.monotonic() < end:
        if max(beats(instance)) > max(first):
            return True
        time.sleep(0.5)
    return False


def note_own_daemons(home: Home, names: set[str]) -> None:
    """Remembers which daemons are a server's own, as Dagster calls them."""
    write_json(home.locks / "own_daemons.json", sorted(names))


def _own_daemons(home: Home) -> list[str]:
    try:
        return read_json(home.locks / "own_daemons.json", list[str])
    except (FileNotFoundError, ValueError):
        return []
