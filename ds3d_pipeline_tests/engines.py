"""What containers a home has on the engine of the tests."""

import time
from pathlib import Path


def containers_of(engine, home: Path) -> list:
    """All of them, whether they run or not."""
    filters = {"label": f"ds3d/home={home}"}
    return engine.containers.list(all=True, filters=filters, ignore_removed=True)


def wait_for_container(engine, home: Path, still_goes=lambda: True):
    """The first container of this home that runs."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        assert still_goes(), "what should start the container has ended"
        for container in containers_of(engine, home):
            if container.status == "running":
                return container
        time.sleep(0.05)
    raise AssertionError("no container came")
