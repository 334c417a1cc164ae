"""Uploads that can be resumed: what came in is on the disk, and its length says where to go on.

No number beside the file remembers the length, so a kill at any moment leaves an upload that can be resumed.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import anyio

from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.web.accepting import Receipt
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.receive import RESUMABLE_SUFFIX

KEPT_S = 3 * 86_400.0
"""So long an upload that nobody goes on with is kept, of the time in which a server runs."""
TIDY_EVERY_S = 3600.0
_ID, _COUNT = re.compile(r"[0-9a-f]{32}"), re.compile(r"[1-9][0-9]{0,5}")
_COMMITS = 16
"""So many can be under way."""
_RECORD, _DATA, _IDLE = "upload.json", "data", "idle.json"


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What a client says of all its uploads for one capture, so that they can be put together without it."""

    group: str
    count: int
    """How many they are."""
    mode: str | None
    name: str | None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Why no capture was made of it, while nobody waited for the answer."""

    status: int
    cause: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Idle:
    """For how long an upload has had so many bytes, by steady clocks."""

    bytes: int
    seconds: float


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
    refused: Refused | None = None

    @property
    def announced(self) -> Announced | None:
        """None where the client says nothing of that."""
        group, count = self.metadata.get("group", ""), self.metadata.get("count", "")
        if not group or not _COUNT.fullmatch(count):
            return None
        mode, name = self.metadata.get("mode") or None, self.metadata.get("name") or None
        return Announced(group=group, count=int(count), mode=mode, name=name)


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

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._writers: dict[str, _Writer] = {}
        self._tidied: float | None = None
        self._commits = tuple(threading.Lock() for _ in range(_COMMITS))

    def create(self, number: int, metadata: dict[str, str]) -> Resumable:
        """A new one of so many bytes."""
        made = Resumable(id=uuid.uuid4().hex, bytes=number, metadata=metadata)
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

    def is_whole(self, upload: Resumable) -> bool:
        """Whether all of its bytes have come in."""
        return self.offset(upload) >= upload.bytes

    def groups(self) -> dict[str, list[Resumable]]:
        """Those that were announced together, without those that are a part of a capture already."""
        found: dict[str, list[Resumable]] = {}
        for record in sorted(self._folder.glob(f"*{RESUMABLE_SUFFIX}/{_RECORD}")):
            with contextlib.suppress(FileNotFoundError, ValueError):
                upload = read_json(record, Resumable)
                if upload.announced and not upload.receipt and not upload.refused:
                    found.setdefault(upload.announced.group, []).append(upload)
        return found

    def offset(self, upload: Resumable) -> int:
        """How many bytes have come in."""
        return upload.bytes if upload.receipt or upload.refused else self.data(upload).stat().st_size

    def finish(self, upload: Resumable, receipt: Receipt) -> None:
        """Remembers what it became, and lets go of the data."""
        write_json(self._place(upload.id) / _RECORD, replace(upload, receipt=receipt), durable=True)
        self.data(upload).unlink(missing_ok=True)

    def committing(self, names: Iterable[str]) -> threading.Lock:
        """Held by who makes a capture of these; of others, too, but seldom."""
        return self._commits[int(sha256(min(names).encode()).hexdigest(), 16) % _COMMITS]

    def refuse(self, upload: Resumable, refused: Refused) -> None:
        """Remembers why nothing became of it, for whoever comes back, and lets go of the data."""
        write_json(self._place(upload.id) / _RECORD, replace(upload, refused=refused), durable=True)
        self.data(upload).unlink(missing_ok=True)

    def remove(self, upload: Resumable) -> None:
        """Whatever had come in."""
        shutil.rmtree(self._place(upload.id), ignore_errors=True)

    def tidy(self) -> None:
        """Removes those that nobody went on with; looks once an hour, however often it is called.

        Counts the hours itself: a clock that is set must not take an upload from somebody who sends it.
        """
        now = self._clock()
        if self._tidied is not None and now - self._tidied < TIDY_EVERY_S:
            return
        elapsed_s = 0.0 if self._tidied is None else now - self._tidied
        self._tidied = now
        for place in self._folder.glob(f"*{RESUMABLE_SUFFIX}"):
            idle = _idle(place, elapsed_s)
            if idle.seconds > KEPT_S:
                shutil.rmtree(place, ignore_errors=True)
            else:
                write_json(place / _IDLE, idle)

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


def _idle(place: Path, elapsed_s: float) -> Idle:
    """How long it has been as it is, where `elapsed_s` have gone since it was last looked at."""
    data = place / _DATA
    bytes_now = data.stat().st_size if data.exists() else -1
    try:
        before = read_json(place / _IDLE, Idle)
    except (FileNotFoundError, ValueError):
        return Idle(bytes=bytes_now, seconds=0.0)
    return Idle(bytes=bytes_now, seconds=before.seconds + elapsed_s if bytes_now == before.bytes else 0.0)


def append(handle: int, data: bytes) -> None:
    """Hands all of it to the system, so that it is there whatever becomes of this process."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
