"""Dagster's code location and daemon, brought by the server where none runs."""

from __future__ import annotations

import time

import dagster as dg

FRESH_S = 75.0
"""Dagster's daemon says every 30 s that it lives; one that said nothing for longer than this does not."""
DAEMONS = ("SENSOR", "QUEUED_RUN_COORDINATOR")


def heartbeat_age_s(instance: dg.DagsterInstance) -> float:
    """How long ago the daemon last said that it lives; Dagster's `healthy` is true for half an hour after."""
    beats = [status.last_heartbeat for status in instance.get_daemon_statuses(DAEMONS).values()]
    return time.time() - min((beat.timestamp if beat else 0.0 for beat in beats), default=0.0)
