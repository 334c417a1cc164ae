"""When an upload may be read: by a steady clock, since the date of the machine and of its files may jump."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from ds3d_pipeline.intake.watched.entries import Entry
from ds3d_pipeline.intake.watched.ledger import Seen
from ds3d_pipeline.programs.boots import boot_id

AGAIN_S = 60.0
"""So long what could not be read is left alone before it is tried again."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """`quiet_s`: so long an upload must not have changed. `work_s`: so long a scan may take."""

    quiet_s: float
    work_s: float = 20.0
    clock: Callable[[], float] = time.monotonic
    """In seconds since the machine started."""


def first_seen(entry: Entry, earlier: Seen | None, pace: Pace) -> Seen:
    """An upload that is new or has changed; other settings for the same content need no second reading."""
    stamp = entry.stamp or ""
    sha256 = earlier.sha256 if earlier and earlier.stamp == stamp else ""
    due = pace.clock() + pace.quiet_s
    return Seen(
        stamp=stamp, settings=entry.settings, since=time.time(), due=due, boot=boot_id(), sha256=sha256
    )


def is_due(seen: Seen, pace: Pace) -> bool:
    """Whether it may be read now."""
    return seen.boot == boot_id() and seen.due <= pace.clock()


def watched_anew(seen: Seen, pace: Pace) -> Seen:
    """As it is, or where an earlier start of the machine saw it, with the wait begun again."""
    latest = pace.clock() + max(pace.quiet_s, AGAIN_S)
    if seen.boot == boot_id() and seen.due <= latest:
        return seen
    return replace(seen, due=pace.clock() + pace.quiet_s, boot=boot_id())


def put_off(seen: Seen, trouble: str, pace: Pace) -> Seen:
    """To be tried again a little later."""
    return replace(seen, due=pace.clock() + AGAIN_S, boot=boot_id(), trouble=trouble)


def since(seen: Seen) -> str:
    """What an upload waits for, and since when, to be read after its name."""
    began = datetime.fromtimestamp(seen.since).strftime("%Y-%m-%d %H:%M")
    return f"waits since {began}: {seen.trouble}"
