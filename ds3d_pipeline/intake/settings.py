"""The user's own options: a table per stage, from a file and from `--set`, checked before anything starts."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ds3d_pipeline.errors import InputError, UnreadableError
from ds3d_pipeline.names import DEFAULT_MODE, STAGES
from ds3d_pipeline.programs.options import is_table, list_options, merged_tables
from ds3d_pipeline.stages.modes import MODES

_UNREADABLE_REMEDY = "Check its path and its permissions."

Tables = dict[str, dict[str, Any]]
"""Options by stage, as the user wrote them."""


def read_config(path: Path | None, words: Sequence[str] = ()) -> Tables:
    """A file's table per stage with `STAGE.OPTION=VALUE` words on top.

    Raises InputError naming the file or the word, and the entry that does not fit.
    """
    tables = {} if path is None else checked_tables(read_tables(path), f"{path}: ")
    for word in words:
        tables = merged_tables(tables, checked_tables(_read_word(word), "--set "))
    return tables


def read_sidecar(path: Path) -> tuple[str | None, Tables]:
    """The `mode` above the tables of such a file, None without one, and the tables.

    Whoever may put files into the watched folder writes it, so it may not set a path or a URL: InputError.
    """
    tables = read_tables(path)
    mode = tables.pop("mode", None)
    if mode is not None:
        mode = checked_mode(mode, f"{path}: ")
    checked = checked_tables(tables, f"{path}: ")
    for stage, table in checked.items():
        _refuse_places(stage, table, f"{path}: ")
    return mode, checked


def _refuse_places(stage: str, table: Mapping[str, Any], where: str) -> None:
    for option in list_options(MODES[DEFAULT_MODE].options_with(stage, {})):
        if option.is_place and _has(table, option.name.split(".")):
            raise InputError(
                f"{where}{stage}.{option.name} is a path or an address and cannot be set here.",
                "Remove that line, or run `ds3d reconstruct` with it as --config.",
            )


def _has(value: Any, names: Sequence[str]) -> bool:
    """Whether nested tables hold the option of these names."""
    if not names:
        return True
    return is_table(value) and names[0] in value and _has(value[names[0]], names[1:])


def checked_mode(mode: Any, where: str) -> str:
    """The mode, as it is; raises InputError, beginning with `where`, where there is none of that name."""
    if not isinstance(mode, str) or mode not in MODES:
        raise InputError(f"{where}{mode!r} is not a mode.", f"Use one of {', '.join(MODES)}.")
    return mode


def checked_tables(tables: Mapping[str, Any], where: str) -> Tables:
    """The tables, as they are; raises InputError, beginning with `where`, where one misfits."""
    for stage, table in tables.items():
        if stage not in STAGES or not is_table(table):
            raise InputError(f"{where}{stage!r} is not a stage.", f"Use a table for {', '.join(STAGES)}.")
        try:
            MODES[DEFAULT_MODE].options_with(stage, table)
        except InputError as error:
            raise InputError(f"{where}{error.cause}", error.remedy) from error
    return dict(tables)


def read_tables(path: Path) -> dict[str, Any]:
    """What a TOML, YAML or JSON file holds; raises InputError where that is no table."""
    import yaml

    try:
        # Editors on Windows begin a file with a byte order mark.
        tables = _parse(path.suffix, path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.", _UNREADABLE_REMEDY) from error
    except (ValueError, yaml.YAMLError) as error:
        cause = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read: {cause}.", "Give a TOML, YAML or JSON file.") from error
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply.", "Write one table per stage.") from error
    if not is_table(tables):
        raise InputError(
            f"{path} holds no tables.", f"Write one per stage, such as {json.dumps({'poses': {}})}."
        )
    return tables


def _parse(suffix: str, text: str) -> Any:
    import yaml

    if suffix == ".toml":
        return tomllib.loads(text)
    return json.loads(text) if suffix == ".json" else yaml.safe_load(text)


def _read_word(word: str) -> dict[str, Any]:
    """`STAGE.OPTION=VALUE` as a table in tables; raises InputError for another form."""
    name, equals, text = word.partition("=")
    parts = name.strip().split(".")
    if not equals or len(parts) < 2 or not all(parts):
        raise InputError(
            f"--set {word}: this is not STAGE.OPTION=VALUE.", "Write, for instance, poses.max_features=4000."
        )
    table: Any = _read_value(text.strip())
    for part in reversed(parts):
        table = {part: table}
    return table


def _read_value(text: str) -> Any:
    """A JSON or TOML value; what is neither is text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
