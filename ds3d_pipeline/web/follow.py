"""Follows jobs for those who watch them: one reader a job, however many sockets listen to it.

What is passed on is the whole status and never an event, so a reconnect misses nothing, and a slow client
gets the newest status and no backlog.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable

import anyio.to_thread

from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.status import JobStatus

log = logging.getLogger(__name__)
TICK_S = 0.5
"""Two statuses a second at most."""
MOST_LISTENERS = 100
Newest = asyncio.Queue[JobStatus | Problem]
"""Of length 1: the status, or why there is none any more."""


class Follower:
    """Belongs to one event loop; `read` is called in a thread."""

    def __init__(self, read: Callable[[str], JobStatus], tick_s: float = TICK_S) -> None:
        self._read, self._tick_s = read, tick_s
        self._listeners: dict[str, set[Newest]] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._last: dict[str, JobStatus] = {}

    @property
    def listeners(self) -> int:
        """How many listen at present."""
        return sum(map(len, self._listeners.values()))

    @contextlib.asynccontextmanager
    async def listening(self, job: str) -> AsyncGenerator[Newest]:
        """A queue that gets the status of a job now and whenever it has changed.

        Raises Problem where too many listen already.
        """
        if self.listeners >= MOST_LISTENERS:
            raise Problem(503, "Too many pages listen at once.", "Close some of them.", retry_after_s=30)
        queue: Newest = asyncio.Queue(maxsize=1)
        self._listeners.setdefault(job, set()).add(queue)
        if job in self._last:
            queue.put_nowait(self._last[job])
        if job not in self._readers:
            self._readers[job] = asyncio.create_task(self._follow(job))
        try:
            yield queue
        finally:
            self._listeners[job].discard(queue)

    async def _follow(self, job: str) -> None:
        """Reads until nobody listens any more, or the job has ended."""
        try:
            while self._listeners[job]:
                now = await self._look(job)
                if now != self._last.get(job):
                    self._tell(job, now)
                if isinstance(now, Problem) or now.has_ended:
                    break
                self._last[job] = now
                await asyncio.sleep(self._tick_s)
        finally:
            self._last.pop(job, None)
            del self._readers[job]
            if not self._listeners[job]:
                del self._listeners[job]

    async def _look(self, job: str) -> JobStatus | Problem:
        try:
            return await anyio.to_thread.run_sync(self._read, job)
        except Problem as problem:
            return problem
        except Exception:
            log.exception("the status of %s cannot be read", job)
            return Problem(500, "An error of ds3d itself.", "Look at what the server printed.")

    def _tell(self, job: str, now: JobStatus | Problem) -> None:
        for queue in self._listeners[job]:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(now)
