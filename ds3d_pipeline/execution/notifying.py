"""A word to whoever is away: what became of a capture, sent to the addresses in DS3D_NOTIFY by apprise."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3d_pipeline.programs.settings import read_text

VARIABLE = "DS3D_NOTIFY"
MISSING = "DS3D_NOTIFY is set, and apprise is not installed. Install ds3d with the extra `notify`."
_TYPES = {"ok": "success", "degraded": "warning", "failed": "failure", "rejected": "failure"}


@dataclass(frozen=True, kw_only=True)
class Note:
    """What happened to one capture, or to one file that could not become one."""

    capture: str
    status: str
    """ok, degraded, failed or rejected."""
    reason: str = ""
    """The first one, with its remedy."""
    folder: Path | None = None
    """Where its files are."""
    picture: Path | None = None

    @property
    def title(self) -> str:
        """In a few words."""
        word = "finished" if self.status == "ok" else self.status
        return f"{self.capture}: {word}"

    @property
    def body(self) -> str:
        """The reason, and a link to the report."""
        link = (self.folder / "report.html").absolute().as_uri() if self.folder else ""
        return "\n".join(part for part in (self.reason, link) if part) or self.title


def addresses() -> tuple[str, ...]:
    """Those that DS3D_NOTIFY names, by spaces; none where it is not set."""
    return tuple((read_text(VARIABLE) or "").split())


def send(note: Note) -> str:
    """Sends a note to all addresses; returns what came of it, in one sentence, for a log.

    What cannot be sent ends nothing: the capture is as finished as before.
    """
    if not addresses():
        return f"Nobody is notified: {VARIABLE} is not set."
    if importlib.util.find_spec("apprise") is None:
        return MISSING
    # An optional package, which a type checker need not have.
    apprise: Any = importlib.import_module("apprise")
    sender = apprise.Apprise()
    misfits = [address for address in addresses() if not sender.add(address)]
    attached = str(note.picture) if note.picture and note.picture.is_file() else None
    kind = apprise.NotifyType(_TYPES.get(note.status, "info"))
    sent = bool(len(sender)) and bool(
        sender.notify(body=note.body, title=note.title, notify_type=kind, attach=attached)
    )
    if misfits:
        return f"{len(misfits)} of {len(addresses())} addresses in {VARIABLE} are none that apprise knows."
    return (
        f"Sent: {note.title}" if sent else f"{note.title} could not be sent to every address in {VARIABLE}."
    )
