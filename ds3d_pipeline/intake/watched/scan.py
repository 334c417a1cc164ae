"""One look at the watched folder: what is new, what is complete by now, and which runs that asks for."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ds3d_pipeline.capture.names import printable
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.intake.accept import Accepted, Checked, accept_content, find_accepted
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.intake.settings import read_sidecar
from ds3d_pipeline.intake.watched.entries import REJECTED, Entry, find_entries, stamp_of
from ds3d_pipeline.intake.watched.ledger import (
    Ledger,
    QueuedRequest,
    Seen,
    read_ledger,
    upload_request,
    write_ledger,
)
from ds3d_pipeline.intake.watched.reading import Reader
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import check_readable, is_registered


def reject(folder: Path, entry: Entry, error: InputError, *, with_sidecar: bool) -> str:
    """Moves an upload to `rejected/` of the watched `folder` and returns the sentence told about it."""
    place = folder / REJECTED
    try:
        place.mkdir(exist_ok=True)
        target = next(path for path in _places(place, entry.path) if not os.path.lexists(path))
        # The text first: a stop between the two leaves an upload that is looked at again.
        target.with_name(target.name + ".txt").write_text(f"{error}\n", encoding="utf-8")
        shutil.move(entry.path, target)
        if with_sidecar and entry.sidecar:
            shutil.move(entry.sidecar, target.with_name(f"{target.name}.toml"))
    except OSError as trouble:
        return f"unusable, and could not be moved to {REJECTED}/ ({trouble.strerror}): {error}"
    return f"moved to {REJECTED}/: {error}"


def _places(place: Path, path: Path) -> Iterator[Path]:
    yield place / path.name
    for number in range(2, 1_000_000):
        yield place / f"{path.stem}-{number}{path.suffix}"


REJECTIONS_TOLD = 10
"""A tick with runs to start shows no text, so that a rejection has to be told again later."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """`quiet_s`: so long an upload must not have changed. `work_s`: so long a look may take."""

    quiet_s: float
    work_s: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """`queued` to give to Dagster, `lines` on every upload, what just happened first, and the generation."""

    queued: tuple[QueuedRequest, ...]
    lines: tuple[str, ...]
    generation: int


def look(home: Home, folder: Path, confirmed: int | None, patience: Patience, reader: Reader) -> Look:
    """Looks once. `confirmed` is the generation of the last look whose requests Dagster has surely got.

    None means that Dagster does not know: then the latest requests are given once more. Nothing is run
    twice for that, because a request's run key stays the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = read_ledger(home)
    # A ledger that was lost starts behind the generation that Dagster knows.
    before = replace(before, generation=max(before.generation, confirmed or 0))
    entries = find_entries(folder)
    eye = _Eye(
        home=home,
        folder=folder,
        before=before,
        patience=patience,
        reader=reader,
        sidecars=[entry.sidecar for entry in entries if entry.sidecar],
    )
    for entry in entries:
        eye.see(entry)
    after = eye.ledger()
    if after != before:
        write_ledger(home, after)
    known = after.generation - 1 if confirmed is None else confirmed
    return Look(
        queued=tuple(queued for queued in after.queued.values() if queued.generation > known),
        lines=(*eye.news, *eye.waiting, *eye.settled, *before.rejected),
        generation=after.generation,
    )


@dataclass(kw_only=True)
class _Eye:
    """One look under way."""

    home: Home
    folder: Path
    before: Ledger
    patience: Patience
    reader: Reader
    sidecars: list[Path]
    start: float = field(default_factory=time.monotonic)
    seen: dict[str, Seen] = field(default_factory=dict[str, Seen])
    queued: dict[str, QueuedRequest] = field(default_factory=dict[str, QueuedRequest])
    news: list[str] = field(default_factory=list[str])
    waiting: list[str] = field(default_factory=list[str])
    settled: list[str] = field(default_factory=list[str])
    rejected: list[str] = field(default_factory=list[str])

    def ledger(self) -> Ledger:
        generation = self.before.generation + bool(self.queued)
        rejected = (*self.before.rejected, *self.rejected)[-REJECTIONS_TOLD:]
        queued = self.before.queued | self.queued
        return Ledger(generation=generation, seen=self.seen, queued=queued, rejected=rejected)

    def see(self, entry: Entry) -> None:
        """Files the entry under news, waiting or settled."""
        earlier = self.before.seen.get(entry.name)
        if entry.stamp is None:
            self.waiting.append(_line(entry, "is still being written"))
        elif earlier is None or (earlier.stamp, earlier.settings) != (entry.stamp, entry.settings):
            self._keep(entry, self._first_seen(entry, entry.stamp, earlier))
        elif earlier.outcome:
            self.seen[entry.name] = earlier
            self.settled.append(_line(entry, earlier.outcome))
        elif time.time() - earlier.since < self.patience.quiet_s:
            self._keep(entry, earlier)
        elif self._time_left() <= 0:
            self.seen[entry.name] = earlier
            self.waiting.append(_line(entry, "waits for its turn to be read"))
        else:
            self._take(entry, earlier)

    def _keep(self, entry: Entry, seen: Seen) -> None:
        self.seen[entry.name] = seen
        self.waiting.append(_line(entry, f"waits until nothing changes for {self.patience.quiet_s:g} s"))

    def _first_seen(self, entry: Entry, stamp: str, earlier: Seen | None) -> Seen:
        """Other settings for the same content need no second reading of it."""
        sha256 = earlier.sha256 if earlier and earlier.stamp == stamp else ""
        return Seen(stamp=stamp, settings=entry.settings, since=time.time(), sha256=sha256)

    def _time_left(self) -> float:
        return self.patience.work_s - (time.monotonic() - self.start)

    def _take(self, entry: Entry, seen: Seen) -> None:
        try:
            request = _request(self.home, entry)
            found = self._look_into(entry, seen, request.options("capture"))
        except InputError as error:
            self._refuse(entry, seen, error)
            return
        if found is None:
            self.seen[entry.name] = seen
            self.waiting.append(_line(entry, "is being read"))
        elif stamp_of(entry.path) != entry.stamp:
            self.waiting.append(_line(entry, "changed while it was read"))
        else:
            outcome = self._queue(request, found)
            self.seen[entry.name] = replace(seen, sha256=found.content.sha256, outcome=outcome)
            self.news.append(_line(entry, outcome))

    def _look_into(self, entry: Entry, seen: Seen, options: CaptureOptions) -> Accepted | Checked | None:
        """None while it is being read; what was accepted before is not read again."""
        known = find_accepted(self.home, seen.sha256, options)
        return known or self.reader.read(entry, options, self._time_left())

    def _refuse(self, entry: Entry, seen: Seen, error: InputError) -> None:
        if stamp_of(entry.path) != entry.stamp:
            self.waiting.append(_line(entry, "changed while it was read"))
            return
        alone = entry.sidecar is not None and self.sidecars.count(entry.sidecar) == 1
        outcome = reject(self.folder, entry, error, with_sidecar=alone)
        if entry.path.exists():
            self.seen[entry.name] = replace(seen, outcome=outcome)
        else:
            self.rejected.append(_line(entry, outcome))
        self.news.append(_line(entry, outcome))

    def _queue(self, request: RunRequest, found: Accepted | Checked) -> str:
        """Queues the request unless it was queued before, and says what became of the upload."""
        run_key = _run_key(found.content.sha256, request.mode, request.tables)
        given = (self.before.queued | self.queued).get(run_key)
        # Where that capture was deleted since, it is new.
        if given is not None and is_registered(self.home, given.request.capture):
            earlier = given.request
            return f"has the content of {earlier.upload}, capture {earlier.capture}: not run again"
        accepted = found if isinstance(found, Accepted) else accept_content(self.home, found)
        request = replace(request, capture=accepted.capture)
        generation = self.before.generation + 1
        self.queued[run_key] = QueuedRequest(run_key=run_key, generation=generation, request=request)
        return f"taken as capture {accepted.capture}, mode {request.mode}"


def _request(home: Home, entry: Entry) -> RunRequest:
    """What an upload asks for; raises InputError for what cannot be used by its name or settings."""
    check_readable(entry.path)
    if entry.is_loose_photo:
        raise InputError(
            f"{entry.path.name} is a single photo.",
            "Put the photos of one capture into a folder of their own.",
        )
    mode, tables = read_sidecar(entry.sidecar) if entry.sidecar else (None, {})
    return upload_request(home, entry.name, mode or entry.mode or DEFAULT_MODE, tables)


def _run_key(sha256: str, mode: str, tables: dict[str, dict[str, Any]]) -> str:
    """The same for the same content, mode and options."""
    text = json.dumps(tables, sort_keys=True)
    return f"{sha256[:32]}-{mode}" + (f"-{hashlib.sha256(text.encode()).hexdigest()[:8]}" if tables else "")


def _line(entry: Entry, outcome: str) -> str:
    return f"{printable(entry.name)} {outcome}"
