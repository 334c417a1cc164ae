"""What the user asks for, checked before anything starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.stages.modes import MODES


def read_prefer(words: Sequence[str]) -> dict[str, str]:
    """`STAGE=BACKEND` words as a table; raises InputError for what no ladder has."""
    from ds3d_pipeline.stages.table import ladders

    found: dict[str, str] = {}
    cards = ladders()
    for word in words:
        stage, _, backend = word.partition("=")
        if stage not in cards:
            raise InputError(f"--prefer {word}: there is no such stage.", f"Use one of {', '.join(cards)}.")
        names = cards[stage].backends
        if backend not in names:
            raise InputError(f"--prefer {word}: no such backend.", f"{stage} has {', '.join(names)}.")
        found[stage] = backend
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user asked for."""

    mode: str
    output: Path
    config: Mapping[str, Mapping[str, Any]]
    prefer: Mapping[str, str]
    start: str | None = None
    """The stage from which on everything is made again."""

    def options(self, stage: str) -> Any:
        """The mode's options with the user's own on top; raises InputError for a value that does not fit."""
        table = dict(self.config.get(stage, {}))
        if stage == "metrics":
            table["output"] = str(self.output)
        return MODES[self.mode].options_with(stage, table)
