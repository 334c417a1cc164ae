"""pycolmap, loaded so that SIGTERM keeps its meaning: everything here imports it from this module.

The wheel's logging library, glog, handles SIGTERM once it is loaded: it prints a C++ stack and ends the
process, and neither Python's handler nor any clean-up runs. Source: glog's `InstallFailureSignalHandler`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Generator

_ROOM = 1024
"""More bytes than a `struct sigaction` has on any system; it is kept as it is and never looked into."""


@contextlib.contextmanager
def kept_handler(number: int) -> Generator[None]:
    """Puts the handler of a signal back, in any thread, which Python's own `signal` cannot."""
    if os.name != "posix":
        yield
        return
    system, action = ctypes.CDLL(None), ctypes.create_string_buffer(_ROOM)
    system.sigaction(number, None, action)
    try:
        yield
    finally:
        system.sigaction(number, action, None)


with kept_handler(signal.SIGTERM):
    import pycolmap

__all__ = ["pycolmap"]
