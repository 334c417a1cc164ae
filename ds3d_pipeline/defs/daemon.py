"""Dagster's daemon, but one that looks at its sensors every second.

`python -m ds3d_pipeline.defs.daemon` takes the words of `dagster-daemon`. That one looks every five seconds,
however often a sensor asks to be looked at, and an upload would wait so long for nothing. As long as it runs,
its heart beats in the home.
"""

import sys
from pathlib import Path

from dagster._daemon import cli, sensor

from ds3d_pipeline.execution.heartbeat import beating, forget
from ds3d_pipeline.storage.home import Home, prepare_home

LOOK_EVERY_S = 1


def main() -> None:
    """Runs the daemon until it is ended."""
    sensor.MIN_INTERVAL_LOOP_TIME = LOOK_EVERY_S
    if sys.argv[1:2] != ["run"]:
        cli.main()
        return
    folder = daemon_folder(prepare_home())
    with beating(folder):
        try:
            cli.main()
        finally:
            forget(folder)


def daemon_folder(home: Home) -> Path:
    """Where the daemon's heart beats."""
    return home.locks / "daemon"


if __name__ == "__main__":
    main()
