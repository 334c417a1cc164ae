"""What the user asks for: one record for every way in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.intake.settings import checked_mode, checked_tables
from ds3d_pipeline.metrics.options import MetricsOptions
from ds3d_pipeline.names import DEFAULT_MODE, STAGES
from ds3d_pipeline.stages.modes import MODES


def read_prefer(words: Sequence[str]) -> dict[str, str]:
    """`STAGE=BACKEND` words as a table; raises InputError for what no ladder has."""
    pairs = [word.partition("=") for word in words]
    return checked_prefer([(stage, backend) for stage, _, backend in pairs], "--prefer ")


def checked_prefer(pairs: Iterable[tuple[str, str]], where: str) -> dict[str, str]:
    """Stages and backends as a table; raises InputError, beginning with `where`, for what no ladder has."""
    from ds3d_pipeline.stages.table import ladders

    found: dict[str, str] = {}
    cards = ladders()
    for stage, backend in pairs:
        named = f"{where}{stage}={backend}"
        if stage not in cards:
            raise InputError(f"{named}: there is no such stage.", f"Use one of {', '.join(cards)}.")
        names = cards[stage].backends
        if backend not in names:
            raise InputError(f"{named}: no such backend.", f"{stage} has {', '.join(names)}.")
        found[stage] = backend
    return found


def chosen_output(named: Path | None, tables: Mapping[str, Mapping[str, Any]]) -> Path:
    """The folder of finished captures: the one named apart, else that of `tables`, else `outputs` here."""
    return (named or Path(tables.get("metrics", {}).get("output", MetricsOptions().output))).absolute()


Source = Literal["command_line", "python", "watched_folder", "page", "dagster"]
"""Where a request came from; `dagster` is a launch in its UI."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRequest:
    """All that a user can ask for, whichever way it came."""

    capture: str = ""
    """The key; empty as long as `inputs` are not accepted."""
    inputs: tuple[str, ...] = ()
    """Paths to be accepted; empty where the key means what is registered."""
    mode: str = DEFAULT_MODE
    output: Path
    """The folder that the capture's own folder goes into; wins over one in `tables`."""
    tables: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict[str, dict[str, Any]])
    """The user's own options by stage."""
    prefer: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The backend to try first, by stage."""
    start: str | None = None
    """The stage from which on everything is made again."""
    source: Source
    upload: str = ""
    """How the user knows what was put into the watched folder."""

    def options(self, stage: str) -> Any:
        """The mode's options with the user's own on top; raises InputError for a value that does not fit."""
        table = dict(self.tables.get(stage, {}))
        if stage == "metrics":
            table["output"] = str(self.output)
        return MODES[self.mode].options_with(stage, table)

    def all_options(self) -> dict[str, Any]:
        """`options` of every stage."""
        return {stage: self.options(stage) for stage in STAGES}

    def check_fits(self) -> None:
        """Raises InputError where this version lacks what is asked for: another may have written it down."""
        checked_mode(self.mode, "")
        checked_tables(self.tables, "")
        checked_prefer(self.prefer.items(), "")
        self.all_options()


def run_key_of(sha256: str, mode: str, tables: dict[str, dict[str, Any]]) -> str:
    """Names a run: the same for the same content, mode and options, whichever way they came."""
    text = json.dumps(tables, sort_keys=True, default=str)
    return f"{sha256[:32]}-{mode}" + (f"-{hashlib.sha256(text.encode()).hexdigest()[:8]}" if tables else "")
