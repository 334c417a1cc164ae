"""What a server is started with, and what its routes share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.web.received import received_folder

if TYPE_CHECKING:
    from ds3d_pipeline.web.bodies import Slots
    from ds3d_pipeline.web.committing import Absent
    from ds3d_pipeline.web.follow import Follower
    from ds3d_pipeline.web.jobs import Jobs
    from ds3d_pipeline.web.resumable import Resumables

LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one server takes."""

    max_bytes: int = 20_000_000_000
    """Of one upload, all its files together."""
    max_files: int = 2000
    """Of one upload."""
    concurrent_uploads: int = 8
    wait_s: float = 20.0
    """So long one more waits for its turn before it is sent away."""
    idle_s: float = 60.0
    """An upload that sends nothing for so long is ended."""
    absent_s: float = 20.0
    """So long a whole upload waits for its tab before the server makes a capture of it."""
    reserve_bytes: int = 2_000_000_000
    """So much of the disk stays free."""
    max_field_bytes: int = 10_000
    """Of one field of a form that is no file."""


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """One server."""

    home: Path
    host: str = "127.0.0.1"
    """The address that it listens on."""
    port: int = 8000
    hosts: frozenset[str] = LOOPBACK
    """The names and addresses, without port, that it may be called by."""
    token: str | None = None
    """What every request must carry; None on loopback."""
    limits: Limits = field(default_factory=Limits)
    daemon: bool = False
    """Whether this server brings Dagster's daemon where none runs."""
    brings_daemon: threading.Event = field(default_factory=threading.Event)
    """Set as long as the daemon is a child of this server, from before it is started on."""


@dataclass(frozen=True, kw_only=True)
class WebState:
    """What the routes of one server share, as `app.state.web`."""

    settings: WebSettings
    home: Home
    jobs: Jobs
    follower: Follower
    slots: Slots
    """Of uploads that come in."""
    resumables: Resumables
    absent: Absent
    """Whole uploads that nobody has asked for yet."""

    @property
    def received(self) -> Path:
        """The files of uploads, one folder each; `.part` while they come in."""
        return received_folder(self.home)
