"""Dagster's daemon, but one that looks at its sensors every second.

`python -m ds3d_pipeline.defs.daemon` takes the words of `dagster-daemon`. That one looks every five seconds,
however often a sensor asks to be looked at, and an upload would wait so long for nothing.
"""

from dagster._daemon import cli, sensor

LOOK_EVERY_S = 1


def main() -> None:
    """Runs the daemon until it is ended."""
    sensor.MIN_INTERVAL_LOOP_TIME = LOOK_EVERY_S
    cli.main()


if __name__ == "__main__":
    main()
