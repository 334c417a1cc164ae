"""One scan of the watched folder: what is new, what is complete by now, and which runs that asks for.

Each upload is looked at by itself: whatever is wrong with one is reported for that one, and the rest goes on.
Nothing is moved away that may be good: what cannot be read now, or breaks off, waits with its reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ds3d_pipeline.capture.names import printable
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.errors import IncompleteError, InputError, StageError, UnreadableError
from ds3d_pipeline.intake.accept import Accepted, Checked, accept_content, find_accepted
from ds3d_pipeline.intake.request import RunRequest, run_key_of
from ds3d_pipeline.intake.settings import read_sidecar
from ds3d_pipeline.intake.watched.entries import Entry, find_entries, look_at
from ds3d_pipeline.intake.watched.ledger import (
    Ledger,
    QueuedRequest,
    Seen,
    read_ledger,
    set_aside,
    upload_request,
    without_unfit,
    write_ledger,
)
from ds3d_pipeline.intake.watched.reading import Reader
from ds3d_pipeline.intake.watched.rejecting import reject
from ds3d_pipeline.intake.watched.timing import Pace, first_seen, is_due, put_off, since, watched_anew
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.programs.faults import explain
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import check_readable, damaged_registrations, is_registered

log = logging.getLogger(__name__)

REJECTIONS_SHOWN = 10
"""A tick with runs to start shows no text, so that a rejection is shown again later."""


@dataclass(frozen=True, kw_only=True)
class ScanResult:
    """`queued` to give to Dagster, `lines` on every upload, what just happened first, and the generation."""

    queued: tuple[QueuedRequest, ...]
    lines: tuple[str, ...]
    generation: int


def scan(
    home: Home,
    folder: Path,
    confirmed: int | None,
    pace: Pace,
    reader: Reader,
    has_failed: Callable[[str], bool] = lambda run_key: False,
) -> ScanResult:
    """Scans once. `confirmed` is the generation of the last scan whose requests Dagster has surely got.

    None means that Dagster does not know: then the latest requests are given once more. Nothing is run
    twice for that, because a request's run key stays the same. `has_failed` says whether the run of a key
    ended without a result: then the same content may ask for another. Raises InputError where `folder` is
    no folder.
    """
    _make(folder)
    before, notes = _ledger_before(home, confirmed or 0)
    entries = find_entries(folder)
    under_way = _Scan(
        home=home,
        folder=folder,
        before=before,
        pace=pace,
        reader=reader,
        has_failed=has_failed,
        sidecars=[entry.sidecar for entry in entries if entry.sidecar],
    )
    for entry in entries:
        under_way.see(entry)
    after = under_way.ledger()
    known = after.generation - 1 if confirmed is None else confirmed
    after, unfit = without_unfit(after, known)
    if after != before:
        write_ledger(home, after)
    return ScanResult(
        queued=tuple(queued for queued in after.queued.values() if queued.generation > known),
        lines=(*notes, *unfit, *under_way.news, *under_way.waiting, *under_way.settled, *before.rejected),
        generation=after.generation,
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"The watched folder {folder} is a file.", "Move it away, or set DS3D_UPLOADS to a folder."
        ) from error


def _ledger_before(home: Home, confirmed: int) -> tuple[Ledger, list[str]]:
    """The ledger, and a line on each record that cannot be read; such a ledger begins anew.

    One that was lost starts behind the generation that Dagster knows.
    """
    notes = [
        f"The registration {path} is missing or damaged and is passed by."
        for path in damaged_registrations(home)
    ]
    try:
        before = read_ledger(home)
    except (ValueError, TypeError, RecursionError) as error:
        log.warning("the ledger cannot be read: %s", error)
        before = Ledger()
        notes.append(
            f"The list of uploads was damaged: it is kept as {set_aside(home)}, and a new one begins."
        )
    return replace(before, generation=max(before.generation, confirmed)), notes


@dataclass(kw_only=True)
class _Scan:
    """One scan under way."""

    home: Home
    folder: Path
    before: Ledger
    pace: Pace
    reader: Reader
    has_failed: Callable[[str], bool]
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
        rejected = (*self.before.rejected, *self.rejected)[-REJECTIONS_SHOWN:]
        queued = self.before.queued | self.queued
        return Ledger(generation=generation, seen=self.seen, queued=queued, rejected=rejected)

    def see(self, entry: Entry) -> None:
        """Files the entry under news, waiting or settled, whatever is wrong with it."""
        try:
            self._see(entry)
        except Exception as error:
            log.exception("%s cannot be looked at", entry.name)
            known = explain(error, [self.home.root, self.folder])
            self._wait(entry, self._seen(entry), known or _unknown(error))

    def _see(self, entry: Entry) -> None:
        earlier = self.before.seen.get(entry.name)
        if entry.stamp is None:
            self.waiting.append(_line(entry, entry.why))
        elif earlier is None or (earlier.stamp, earlier.settings) != (entry.stamp, entry.settings):
            self._keep(entry, first_seen(entry, earlier, self.pace))
        elif earlier.outcome:
            self.seen[entry.name] = earlier
            self.settled.append(_line(entry, earlier.outcome))
        elif not is_due(earlier, self.pace):
            self._keep(entry, watched_anew(earlier, self.pace))
        elif self._time_left() <= 0:
            self.seen[entry.name] = earlier
            self.waiting.append(_line(entry, "waits for its turn to be read"))
        else:
            self._take(entry, earlier)

    def _keep(self, entry: Entry, seen: Seen) -> None:
        self.seen[entry.name] = seen
        quiet = f"waits until nothing changes for {self.pace.quiet_s:g} s"
        self.waiting.append(_line(entry, since(seen) if seen.trouble else quiet))

    def _seen(self, entry: Entry) -> Seen:
        """Of this scan, or as it was before, or new."""
        known = self.seen.get(entry.name) or self.before.seen.get(entry.name)
        same = known if known and (known.stamp, known.settings) == (entry.stamp, entry.settings) else None
        return same or first_seen(entry, None, self.pace)

    def _time_left(self) -> float:
        return self.pace.work_s - (time.monotonic() - self.start)

    def _take(self, entry: Entry, seen: Seen) -> None:
        try:
            check_usable(entry)
            request = self._request(entry)
            found = self._look_into(entry, seen, request.options("capture")) if request else None
        except (UnreadableError, IncompleteError) as error:
            self._wait(entry, seen, error)
            return
        except InputError as error:
            self._refuse(entry, seen, error)
            return
        if request is None:
            return
        if found is None:
            self.seen[entry.name] = seen
            self.waiting.append(_line(entry, "is being read"))
        elif look_at(entry.path).stamp != entry.stamp:
            self.waiting.append(_line(entry, "changed while it was read"))
        elif found.content.cut_off:
            self._wait(entry, seen, IncompleteError(" ".join(found.content.cut_off), _USE_ANYWAY))
        else:
            self._settle(entry, replace(seen, sha256=found.content.sha256), self._queue(request, found))

    def _settle(self, entry: Entry, seen: Seen, outcome: str) -> None:
        self.seen[entry.name] = replace(seen, outcome=outcome)
        self.news.append(_line(entry, outcome))

    def _request(self, entry: Entry) -> RunRequest | None:
        """What an upload asks for; None where its settings do not fit: they are named, and it stays."""
        try:
            mode, tables = read_sidecar(entry.sidecar) if entry.sidecar else (None, {})
            request = upload_request(self.home, entry.name, mode or entry.mode or DEFAULT_MODE, tables)
            request.all_options()
        except UnreadableError:
            raise
        except InputError as error:
            self._settle(entry, self._seen(entry), f"is not taken: {error}")
            return None
        return request

    def _look_into(self, entry: Entry, seen: Seen, options: CaptureOptions) -> Accepted | Checked | None:
        """None while it is being read; what was accepted before is not read again."""
        known = find_accepted(self.home, seen.sha256, options)
        return known or self.reader.read(entry, options, self._time_left())

    def _wait(self, entry: Entry, seen: Seen, error: StageError) -> None:
        """Leaves it where it is; it is tried again a little later, or once it has changed."""
        seen = put_off(seen, str(error), self.pace)
        self.seen[entry.name] = seen
        self.waiting.append(_line(entry, since(seen)))

    def _refuse(self, entry: Entry, seen: Seen, error: InputError) -> None:
        if look_at(entry.path).stamp != entry.stamp:
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
        run_key, given = self._key(run_key_of(found.content.sha256, request.mode, request.tables))
        if given is not None:
            earlier = given.request
            return f"has the content of {earlier.upload}, capture {earlier.capture}: not run again"
        accepted = found if isinstance(found, Accepted) else accept_content(self.home, found)
        request = replace(request, capture=accepted.capture)
        generation = self.before.generation + 1
        self.queued[run_key] = QueuedRequest(run_key=run_key, generation=generation, request=request)
        return f"taken as capture {accepted.capture}, mode {request.mode}"

    def _key(self, run_key: str) -> tuple[str, QueuedRequest | None]:
        """The key to use, and the earlier request that makes another needless; a failed one does not."""
        known, key, number = self.before.queued | self.queued, run_key, 1
        while (given := known.get(key)) is not None:
            # Where that capture was deleted since, it is new.
            if is_registered(self.home, given.request.capture) and not self.has_failed(key):
                return key, given
            number += 1
            key = f"{run_key}-{number}"
        return key, None


_USE_ANYWAY = "Copy the complete file again; `ds3d reconstruct` takes the part that is there."


def check_usable(entry: Entry) -> None:
    """Raises InputError for what is no capture by its name alone."""
    check_readable(entry.path)
    if entry.is_loose_photo:
        raise InputError(
            f"{entry.path.name} is a single photo.",
            "Put the photos of one capture into a folder of their own.",
        )


def _unknown(error: Exception) -> StageError:
    cause = f"It cannot be looked at ({type(error).__name__}: {' '.join(str(error).split())[:200]})."
    return StageError(cause, "Remove it, and report this as a bug.")


def _line(entry: Entry, outcome: str) -> str:
    return f"{printable(entry.name)} {outcome}"
