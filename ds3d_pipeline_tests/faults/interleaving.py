"""Several bodies of code whose every change of a file is one step, in an order that a test chooses."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "open")
BLOCKED_AFTER_S = 0.01
"""A body that has not stopped after this long waits for a lock that another one holds."""
_current = threading.local()


class Body:
    """One process: a thread that stops before each change of a file until it is told to go on."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self.error: BaseException | None = None
        self.is_done = False
        self._is_running = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Goes on to the next change of a file, or to the end, or until it waits for another body."""
        if not self._is_running:
            self._go.release()
        self._is_running = not self._stopped.acquire(timeout=BLOCKED_AFTER_S)

    def pause(self) -> None:
        """Called by the thread itself, before a change."""
        self._stopped.release()
        self._go.acquire()

    def _run(self) -> None:
        self._go.acquire()
        _current.body = self
        try:
            self._work()
        except BaseException as error:
            self.error = error
        finally:
            _current.body = None
            self.is_done = True
            self._stopped.release()


def _before_event(event: str, arguments: tuple[Any, ...]) -> None:
    body = getattr(_current, "body", None)
    if body is None or event not in EVENTS:
        return
    if event == "open" and not _writes(*arguments):
        return
    body.pause()


def _writes(path: Any, mode: Any, flags: int) -> bool:
    return isinstance(path, str) and bool(flags & (os.O_WRONLY | os.O_RDWR))


_install = iter([lambda: sys.addaudithook(_before_event)])


def interleave(works: Sequence[Callable[[], None]], choices: Iterator[int]) -> None:
    """Runs all to their ends, each step by the one that `choices` names; raises what one of them raised."""
    for install in _install:
        install()
    bodies = [Body(work) for work in works]
    while going := [body for body in bodies if not body.is_done]:
        going[next(choices) % len(going)].step()
    for body in bodies:
        if body.error is not None:
            raise body.error
