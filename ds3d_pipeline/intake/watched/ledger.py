"""What is remembered from look to look, in one small file of the home.

Dagster stores a sensor's cursor again with every tick, for days. So the cursor holds one number only, the
generation of the orders whose runs Dagster is known to have; the rest stands here. Orders of a later
generation are given again, and their run keys see to it that no run starts twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.home import Home


@dataclass(frozen=True, kw_only=True)
class Order:
    """A run to start: `config` is a table of options per stage."""

    run_key: str
    upload: str
    capture: str
    mode: str
    config: dict[str, dict[str, Any]]
    generation: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An upload at the latest look."""

    stamp: str
    settings: str
    since: float
    """When it first looked as it does now, in seconds since 1970."""
    sha256: str = ""
    """Of its content; empty until it was complete."""
    outcome: str = ""
    """What became of it, one sentence; empty while it is waited for."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """`seen` by the upload's name, `orders` by run key, `rejected` the latest sentences of that kind."""

    generation: int = 0
    seen: dict[str, Seen] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()


def _path(home: Home) -> Path:
    return home.root / "uploads.json"


def read_ledger(home: Home) -> Ledger:
    """The ledger of this home; empty before the first look."""
    return read_json(_path(home), Ledger) if _path(home).exists() else Ledger()


def write_ledger(home: Home, ledger: Ledger) -> None:
    """Puts it in the place of the earlier one."""
    write_json(_path(home), ledger)
