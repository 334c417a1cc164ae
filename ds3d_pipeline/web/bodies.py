"""Bodies of requests, taken byte by byte within limits: what forms and resumable uploads have in common."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from starlette.requests import ClientDisconnect, Request

from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.settings import Limits

LOOK_EVERY_BYTES = 32_000_000
"""So often the free space of the disk is looked at."""
AGAIN_S = 5.0
CHECKED_AT_ONCE = 2
"""Decoding a photo takes many times its bytes of memory, and a core."""


class Slots:
    """How many uploads may come in at once."""

    def __init__(self, number: int, wait_s: float) -> None:
        self._number, self._wait_s = number, wait_s
        self._free = anyio.Semaphore(number)
        self.desk = anyio.CapacityLimiter(CHECKED_AT_ONCE)
        """For the checks of what has come in."""

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Holds one; raises Problem where none is free for long. Until then no byte of the body is read."""
        with anyio.move_on_after(self._wait_s) as waiting:
            await self._free.acquire()
        if waiting.cancelled_caught:
            cause = f"{self._number} uploads are coming in, which is as many as are taken at once."
            raise Problem(503, cause, "Try again in a moment.", retry_after_s=AGAIN_S)
        try:
            yield
        finally:
            self._free.release()


def declared_bytes(request: Request) -> int | None:
    """What the request says of the length of its body; raises Problem for what is no number."""
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Problem(413, "The length of the body is not one that is taken.", "Send less.")
    return int(text)


def check_fits(number: int, folder: Path, limits: Limits) -> None:
    """Raises Problem where so many bytes are too many, or more than the disk of `folder` has room for."""
    if number > limits.max_bytes:
        raise too_large(limits)
    free = shutil.disk_usage(folder).free - limits.reserve_bytes
    if number > free:
        room = f"The server's disk has room for {max(free, 0) / 1e9:.1f} GB more."
        raise Problem(507, room, "Free some space there; `ds3d clean` shows what can be deleted.")


def too_large(limits: Limits) -> Problem:
    """More than one upload may have."""
    cause = f"The upload has more than the {limits.max_bytes / 1e9:g} GB that are taken."
    return Problem(413, cause, "Send a shorter video, or fewer photos.")


async def chunks(request: Request, limits: Limits, folder: Path) -> AsyncIterator[bytes]:
    """The body as it comes in, for files in `folder`.

    Raises Problem beyond a limit, where it breaks off, and where nothing comes for `limits.idle_s`.
    """
    stream, number, look_at = request.stream(), 0, LOOK_EVERY_BYTES
    while chunk := await _next(stream, limits.idle_s):
        number += len(chunk)
        if number > limits.max_bytes:
            raise too_large(limits)
        if number > look_at:
            look_at = number + LOOK_EVERY_BYTES
            await anyio.to_thread.run_sync(check_fits, 0, folder, limits)
        yield chunk


async def _next(stream: AsyncIterator[bytes], idle_s: float) -> bytes:
    """Empty at the end. Starlette gives an empty chunk there, and may give one before."""
    try:
        with anyio.fail_after(idle_s):
            return await anext(stream, b"") or await anext(stream, b"")
    except TimeoutError as error:
        raise Problem(400, f"Nothing came for {idle_s:g} s.", "Send it again.") from error
    except ClientDisconnect as error:
        raise Problem(400, "The upload broke off.", "Send it again.") from error
