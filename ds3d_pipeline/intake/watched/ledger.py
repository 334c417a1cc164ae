"""What is remembered from scan to scan, in one small file of the home.

Dagster stores a sensor's cursor again with every tick, for days. So the cursor holds one number only, the
generation of the requests whose runs Dagster is known to have; the rest is here. Requests of a later
generation are given again, and their run keys see to it that no run starts twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from ds3d_pipeline.capture.names import printable
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.home import Home, outputs_folder


@dataclass(frozen=True, kw_only=True)
class QueuedRequest:
    """A run to start."""

    run_key: str
    generation: int
    request: RunRequest


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An upload at the latest scan."""

    stamp: str
    settings: str
    since: float
    """When it first looked as it does now, in seconds since 1970; for people to read."""
    due: float = 0.0
    """From when on it may be read, by the steady clock of this `boot`."""
    boot: str = ""
    trouble: str = ""
    """Why it could not be read so far, a cause and a remedy."""
    sha256: str = ""
    """Of its content; empty until it was complete."""
    outcome: str = ""
    """What became of it, one sentence; empty while it is waited for."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """`seen` by the upload's name, `queued` by run key, `rejected` the latest sentences of that kind."""

    generation: int = 0
    seen: dict[str, Seen] = field(default_factory=dict[str, Seen])
    queued: dict[str, QueuedRequest] = field(default_factory=dict[str, QueuedRequest])
    rejected: tuple[str, ...] = ()


def _path(home: Home) -> Path:
    return home.root / "uploads.json"


def read_ledger(home: Home) -> Ledger:
    """The ledger of this home; empty before the first scan. Raises ValueError where it does not fit."""
    path = _path(home)
    if not path.exists():
        return Ledger()
    if "orders" in read_json(path, dict[str, Any]):
        return _of_orders(home, read_json(path, _OldLedger))
    return read_json(path, Ledger)


def without_unfit(ledger: Ledger, since: int) -> tuple[Ledger, list[str]]:
    """The ledger without what no longer fits of the requests after generation `since`, and a line on each.

    Its uploads say so from then on, and are looked at again once they or their settings change.
    """
    later = {key: queued for key, queued in ledger.queued.items() if queued.generation > since}
    unfit = {key: outcome for key, queued in later.items() if (outcome := _misfit(queued.request))}
    outcomes = {ledger.queued[key].request.upload: outcome for key, outcome in unfit.items()}
    seen = {
        name: replace(entry, outcome=outcomes.get(printable(name), entry.outcome))
        for name, entry in ledger.seen.items()
    }
    queued = {key: queued for key, queued in ledger.queued.items() if key not in unfit}
    lines = [f"{upload} {outcome}" for upload, outcome in outcomes.items()]
    return replace(ledger, seen=seen, queued=queued), lines


def _misfit(request: RunRequest) -> str:
    try:
        request.check_fits()
    except InputError as error:
        return f"is not run, since what it asks for does not fit any more: {error}"
    return ""


def set_aside(home: Home) -> Path:
    """Renames a ledger that cannot be read, so that a new one can begin; returns where it is now."""
    path = _path(home)
    places = (path.with_name(f"{path.stem}.damaged-{number}{path.suffix}") for number in count(1))
    place = next(place for place in places if not place.exists())
    path.rename(place)
    return place


def write_ledger(home: Home, ledger: Ledger) -> None:
    """Puts it in the place of the earlier one."""
    write_json(_path(home), ledger, durable=True)


@dataclass(frozen=True, kw_only=True)
class _Order:
    run_key: str
    upload: str
    capture: str
    mode: str
    config: dict[str, dict[str, Any]]
    generation: int


@dataclass(frozen=True, kw_only=True)
class _OldLedger:
    """As it was before every way in made the same request."""

    generation: int
    seen: dict[str, Seen]
    orders: dict[str, _Order]
    rejected: tuple[str, ...]


def _of_orders(home: Home, old: _OldLedger) -> Ledger:
    queued = {key: _queued(home, order) for key, order in old.orders.items()}
    return Ledger(generation=old.generation, seen=old.seen, queued=queued, rejected=old.rejected)


def _queued(home: Home, order: _Order) -> QueuedRequest:
    request = upload_request(home, order.upload, order.mode, order.config)
    request = replace(request, capture=order.capture)
    return QueuedRequest(run_key=order.run_key, generation=order.generation, request=request)


def upload_request(home: Home, upload: str, mode: str, tables: dict[str, dict[str, Any]]) -> RunRequest:
    """What an upload asks for before it is accepted; only `DS3D_OUTPUTS` says where its files go."""
    return RunRequest(
        mode=mode,
        output=outputs_folder(home),
        tables=tables,
        source="watched_folder",
        upload=printable(upload),
    )
