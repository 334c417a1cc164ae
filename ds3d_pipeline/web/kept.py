"""Values that are dear to read and may be a little old."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """A value that is read anew once it is older than `for_s`; by one thread at a time."""

    def __init__(self, read: Callable[[], T], for_s: float) -> None:
        self._read, self._for_s = read, for_s
        self._lock = threading.Lock()
        self._value: tuple[float, T] | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._value is None or time.monotonic() - self._value[0] > self._for_s:
                self._value = time.monotonic(), self._read()
            return self._value[1]
