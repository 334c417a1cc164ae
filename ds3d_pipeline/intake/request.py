"""The user's own settings, checked before anything starts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.names import STAGES
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


def read_config(path: Path | None) -> dict[str, dict[str, Any]]:
    """A file's table per stage; raises InputError naming the file and the entry that does not fit."""
    return {} if path is None else _checked(path, _parse(path))


def read_sidecar(path: Path) -> tuple[str | None, dict[str, dict[str, Any]]]:
    """The `mode` that stands above the tables of such a file, None without one, and the tables."""
    tables = _parse(path)
    mode = tables.pop("mode", None)
    if mode is not None and mode not in MODES:
        raise InputError(f"{path}: {mode!r} is not a mode.", f"Use one of {', '.join(MODES)}.")
    return mode, _checked(path, tables)


def _checked(path: Path, tables: dict[str, Any]) -> dict[str, dict[str, Any]]:
    for stage, table in tables.items():
        if stage not in STAGES or not isinstance(table, dict):
            raise InputError(f"{path}: {stage!r} is not a stage.", f"Use a table for {', '.join(STAGES)}.")
        known = {field.name for field in dataclasses.fields(MODES["balanced"].options(stage))}
        for key in table.keys() - known:
            raise InputError(
                f"{path}: {stage} has no setting {key!r}.", f"It has {', '.join(sorted(known))}."
            )
        _check_values(path, stage, table)
    return tables


def _check_values(path: Path, stage: str, table: dict[str, Any]) -> None:
    from pydantic import TypeAdapter, ValidationError

    options = MODES["balanced"].options(stage)
    try:
        TypeAdapter(type(options)).validate_python(dataclasses.asdict(options) | table)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise InputError(
            f"{path}: {stage} has an unusable value for {wrong['loc'][0]!r}.", f"{wrong['msg']}."
        ) from error


def _parse(path: Path) -> dict[str, Any]:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        tables = _toml(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Give a TOML, YAML or JSON file.") from error
    if not isinstance(tables, dict):
        raise InputError(
            f"{path} holds no tables.", f"Write one per stage, such as {json.dumps({'poses': {}})}."
        )
    return tables


def _toml(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)


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
        return dataclasses.replace(MODES[self.mode].options(stage), **table)
