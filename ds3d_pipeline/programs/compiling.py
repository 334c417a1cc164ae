"""Who hears that kernels are about to be compiled: that takes long once, and says nothing of speed.

Apart from `jit`, so that a program without kernels does not import Numba.
"""

from __future__ import annotations

from collections.abc import Callable

_listeners: list[Callable[[bool], None]] = []


def tell(listener: Callable[[bool], None]) -> None:
    """From now on `listener(True)` is called before kernels are compiled, `listener(False)` after it."""
    _listeners.append(listener)


def say(*, begins: bool) -> None:
    """Calls all listeners."""
    for listener in _listeners:
        listener(begins)
