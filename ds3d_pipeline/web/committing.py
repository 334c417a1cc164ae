"""Finished uploads become one capture: asked for by who sent them, or by the server where nobody asks.

A tab may die after its last byte. Where it had announced how many files there are (`group` and `count` in
Upload-Metadata), the server makes the capture by itself.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import anyio
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ds3d_pipeline.web.accepting import Receipt, accept_received
from ds3d_pipeline.web.file_names import safe_name
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.receive import PART_SUFFIX
from ds3d_pipeline.web.resumable import Refused, Resumable
from ds3d_pipeline.web.settings import WebState

_LOOK_EVERY_S = 1.0
_UNUSABLE = 422
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Commit:
    """Which uploads are one capture."""

    ids: Annotated[list[str], Field(min_length=1)]
    mode: str | None = None
    name: str | None = None


class Absent:
    """Groups of uploads that are whole, and for which nobody has asked yet; of one event loop."""

    def __init__(self, waits_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`waits_s`: so long it is left to the tab, which alone hears what is wrong with its files."""
        self._waits_s, self._clock = waits_s, clock
        self._due: dict[str, float] = {}

    def expect(self, upload: Resumable) -> None:
        """The last bytes of an upload have come in: its tab should ask soon."""
        if upload.announced:
            self._due[upload.announced.group] = self._clock() + self._waits_s

    async def run(self, web: WebState) -> None:
        """Until it is cancelled. Begins with what an earlier server left."""
        for uploads in (await anyio.to_thread.run_sync(web.resumables.groups)).values():
            self.expect(uploads[0])
        while True:
            await anyio.to_thread.run_sync(web.resumables.tidy)
            due = [group for group, at in self._due.items() if at <= self._clock()]
            for group in due:
                del self._due[group]
                await anyio.to_thread.run_sync(commit_group, web, group, limiter=web.slots.desk)
            await anyio.sleep(_LOOK_EVERY_S)


def commit_group(web: WebState, group: str) -> None:
    """Makes a capture of what was announced together, if all of it is there and nobody else did."""
    uploads = web.resumables.groups().get(group, [])
    announced = uploads[0].announced if uploads else None
    if announced is None or len(uploads) != announced.count or not all(map(web.resumables.is_whole, uploads)):
        return
    asked = Commit(ids=[upload.id for upload in uploads], mode=announced.mode, name=announced.name)
    try:
        commit_uploads(web, asked, is_absent=True)
    except Problem as problem:
        # Kept with the uploads for whoever comes back, or tried again after the next start.
        log.warning("what was sent whole cannot be used: %s", problem.cause)
    except Exception:
        # As in a request: an error of ds3d itself must not end the server.
        log.exception("what was sent whole was not accepted")


def commit_uploads(web: WebState, asked: Commit, *, is_absent: bool = False) -> Receipt:
    """The capture of these uploads; once more, the same answer. Raises Problem where it cannot be made.

    Where whoever sent them `is_absent`, what is wrong with them is kept, and not only said.
    """
    names = list(dict.fromkeys(asked.ids))
    # The tab may ask just when the server does not wait for it any longer.
    with web.resumables.committing(names):
        return _committed(web, names, asked, is_absent=is_absent)


def _committed(web: WebState, names: Sequence[str], asked: Commit, *, is_absent: bool) -> Receipt:
    uploads = [web.resumables.find(name) for name in names]
    receipts = [upload.receipt for upload in uploads]
    if receipts[0] and all(receipt == receipts[0] for receipt in receipts):
        return receipts[0]
    for upload in uploads:
        if upload.refused:
            _remove(web, uploads)
            raise Problem(upload.refused.status, upload.refused.cause, upload.refused.remedy)
        if upload.receipt or not web.resumables.is_whole(upload):
            raise Problem(409, "Not all of these uploads have come in.", "Go on with them first.")
    return _commit(web, uploads, asked, is_absent=is_absent)


def _commit(web: WebState, uploads: Sequence[Resumable], asked: Commit, *, is_absent: bool) -> Receipt:
    if len(uploads) > web.settings.limits.max_files:
        raise Problem(413, f"A capture has at most {web.settings.limits.max_files} files.", "Send fewer.")
    folder = web.received / f"{uuid.uuid4().hex}{PART_SUFFIX}"
    folder.mkdir()
    try:
        receipt = accept_received(web, folder, _linked(web, uploads, folder), asked.mode, asked.name)
    except Problem as problem:
        if problem.status == _UNUSABLE:
            _refuse(web, uploads, problem) if is_absent else _remove(web, uploads)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for upload in uploads:
        web.resumables.finish(upload, receipt)
    return receipt


def _refuse(web: WebState, uploads: Sequence[Resumable], problem: Problem) -> None:
    refused = Refused(status=problem.status, cause=problem.cause, remedy=problem.remedy)
    for upload in uploads:
        web.resumables.refuse(upload, refused)


def _remove(web: WebState, uploads: Sequence[Resumable]) -> None:
    for upload in uploads:
        web.resumables.remove(upload)


def _linked(web: WebState, uploads: Sequence[Resumable], folder: Path) -> list[Path]:
    """The same files under their own names."""
    taken: set[str] = set()
    files = [folder / safe_name(upload.metadata.get("filename", ""), taken) for upload in uploads]
    for upload, path in zip(uploads, files, strict=True):
        os.link(web.resumables.data(upload), path)
    return files
