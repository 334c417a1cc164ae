"""Uploads that can be resumed: what came in is on the disk, and its length says where to go on.

No number beside the file remembers the length, so a kill at any moment leaves an upload that can be resumed.
"""

from __future__ import annotations

import base64
import binascii
import math
import os
import re
import shutil
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.web.accepting import Receipt
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.receive import RESUMABLE_SUFFIX

KEPT_S = 3 * 86_400.0
"""So long an upload that nobody goes on with is kept."""
_TIDY_EVERY_S = 3600.0
_ID = re.compile(r"[0-9a-f]{32}")
_RECORD, _DATA = "upload.json", "data"


@dataclass(frozen=True, kw_only=True)
class Resumable:
    """One file that comes in, in as many requests as it takes."""

    id: str
    bytes: int
    """Of the whole file."""
    metadata: dict[str, str]
    """What the client said of it: `filename`, and more."""
    receipt: Receipt | None = None
    """Of the capture that it became a part of; then its data is there no longer."""


def read_metadata(header: str) -> dict[str, str]:
    """`Upload-Metadata`: keys and values in Base64; raises Problem for what is not that."""
    found: dict[str, str] = {}
    for pair in filter(None, (pair.strip() for pair in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise Problem(400, "Upload-Metadata is not Base64.", "Write it as tus 1.0 says.") from error
    return found


@dataclass(frozen=True, kw_only=True)
class _Writer:
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)


class Resumables:
    """Those of one home, in its folder of received files; of one event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, _Writer] = {}
        self._tidied = -math.inf

    def create(self, number: int, metadata: dict[str, str]) -> Resumable:
        """A new one of so many bytes."""
        made = Resumable(id=uuid.uuid4().hex, bytes=number, metadata=metadata)
        self._remove_old()
        place = self._place(made.id)
        place.mkdir()
        (place / _DATA).touch()
        write_json(place / _RECORD, made)
        return made

    def find(self, name: str) -> Resumable:
        """Raises Problem where there is none of this id."""
        if _ID.fullmatch(name) and (self._place(name) / _RECORD).exists():
            return read_json(self._place(name) / _RECORD, Resumable)
        raise Problem(404, "There is no such upload.", "Begin it again.")

    def data(self, upload: Resumable) -> Path:
        """The file as far as it has come in."""
        return self._place(upload.id) / _DATA

    def offset(self, upload: Resumable) -> int:
        """How many bytes have come in."""
        return upload.bytes if upload.receipt else self.data(upload).stat().st_size

    def finish(self, upload: Resumable, receipt: Receipt) -> None:
        """Remembers what it became, and lets go of the data."""
        write_json(self._place(upload.id) / _RECORD, replace(upload, receipt=receipt), durable=True)
        self.data(upload).unlink(missing_ok=True)

    def remove(self, upload: Resumable) -> None:
        """Whatever had come in."""
        shutil.rmtree(self._place(upload.id), ignore_errors=True)

    def _remove_old(self) -> None:
        """Those that nobody went on with, once an hour."""
        if time.monotonic() - self._tidied < _TIDY_EVERY_S:
            return
        self._tidied = time.monotonic()
        for place in self._folder.glob(f"*{RESUMABLE_SUFFIX}"):
            times = [path.stat().st_mtime for path in (place, *place.iterdir())]
            if time.time() - max(times) > KEPT_S:
                shutil.rmtree(place, ignore_errors=True)

    @asynccontextmanager
    async def alone(self, upload: Resumable) -> AsyncIterator[None]:
        """Nobody else writes to it meanwhile. An earlier request that still does is ended.

        A phone that was locked comes back while the server still waits for the rest of its first request.
        """
        while earlier := self._writers.get(upload.id):
            earlier.scope.cancel()
            await earlier.ended.wait()
        mine = self._writers[upload.id] = _Writer()
        try:
            with mine.scope:
                yield
        finally:
            del self._writers[upload.id]
            mine.ended.set()
        if mine.scope.cancelled_caught:
            raise Problem(409, "Another request goes on with this upload.", "Ask how far it is.")

    def _place(self, name: str) -> Path:
        return self._folder / f"{name}{RESUMABLE_SUFFIX}"


def append(handle: int, data: bytes) -> None:
    """Hands all of it to the system, so that it is there whatever becomes of this process."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
