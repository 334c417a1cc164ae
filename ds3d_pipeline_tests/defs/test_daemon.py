"""Our way to start Dagster's daemon."""

import logging
import sys
import threading

import pytest
from dagster._daemon import sensor

from ds3d_pipeline.defs import daemon


class Waits(threading.Event):
    """Notes for how long somebody would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return True


def look_once() -> float:
    """Lets Dagster's loop over sensors go round once, and returns how long it waits after that."""
    waits = Waits()
    # Without a workspace a look fails, which the loop survives.
    loop = sensor.execute_sensor_iteration_loop(None, logging.getLogger("quiet"), waits)
    while not waits.seconds:
        next(loop)
    return waits.seconds[0]


def test_the_daemon_looks_at_sensors_every_second(monkeypatch, capsys):
    monkeypatch.setattr(sensor, "MIN_INTERVAL_LOOP_TIME", 5)
    monkeypatch.setattr(sys, "argv", ["daemon", "--version"])
    assert look_once() > 4
    with pytest.raises(SystemExit, match="0"):
        daemon.main()
    assert "version" in capsys.readouterr().out
    assert look_once() <= daemon.LOOK_EVERY_S
