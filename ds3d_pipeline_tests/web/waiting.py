"""Waiting for what a server does by itself."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object]) -> None:
    """Returns once it holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
