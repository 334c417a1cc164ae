"""Everything that environment variables set on this machine: one table, read and checked here alone.

    python -m ds3d_pipeline.programs.settings

prints it as the table of `docs/using.md`.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ds3d_pipeline.errors import InputError


class Kind(StrEnum):
    """What a variable takes, as users read it."""

    TEXT = "a text"
    FOLDER = "a folder"
    PLACE = "a folder or URL"
    NUMBER = "a number above 0"
    SECONDS = "whole seconds, 1 to 86400"
    SWITCH = "1 or 0"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One variable; `default` is what holds without it, in words."""

    name: str
    kind: Kind
    default: str
    about: str


_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
MAX_SECONDS = 86_400
SETTINGS = tuple(
    Setting(name=name, kind=kind, default=default, about=about)
    for name, kind, default, about in (
        ("DAGSTER_HOME", Kind.FOLDER, "your data folder", "where ds3d keeps its data: `ds3d home` prints it"),
        ("DS3D_STORAGE", Kind.PLACE, "`storage/` of the home", "stored intermediate results"),
        ("DS3D_UPLOADS", Kind.FOLDER, "`uploads/` of the home", "the watched folder"),
        ("DS3D_UPLOADS_EVERY_S", Kind.SECONDS, "15", "how often the watched folder is checked"),
        ("DS3D_OUTPUTS", Kind.FOLDER, "`outputs/` of the home", "finished captures of the watched folder"),
        ("DS3D_HOSTS", Kind.TEXT, "none", "more names, by commas, that `ds3d serve` may be called by"),
        ("DS3D_TOKEN", Kind.TEXT, "made at random", "what `ds3d serve` asks other machines for"),
        (
            "DS3D_NOTIFY",
            Kind.TEXT,
            "none",
            "addresses, by spaces, that apprise notifies of each capture's end",
        ),
        ("DS3D_MEMORY_MB", Kind.NUMBER, "most of what is free", "memory that a stage may use, in MB"),
        ("DS3D_CONTAINER_MEMORY_GB", Kind.NUMBER, "90 % of the engine's", "memory of one container, in GB"),
        ("DS3D_CONTAINER_CPUS", Kind.NUMBER, "all", "CPU cores of one container"),
        ("DS3D_CONTAINER_PULL", Kind.SWITCH, "0", "whether a run may download a missing image"),
        ("DS3D_HOME_VOLUME", Kind.TEXT, "none", "volume of the home, where ds3d runs in a container"),
        ("DS3D_COLMAP_IMAGE", Kind.TEXT, "`colmap/colmap:latest`", "image with COLMAP 3.8 to 4.x"),
        ("DS3D_TRAINER_IMAGE", Kind.TEXT, "`ds3d-trainer:cpu`", "image that trains splats"),
        ("DS3D_GPU_TRAINER_IMAGE", Kind.TEXT, "`ds3d-trainer:gpu`", "the same with CUDA"),
    )
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def read_text(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The value of a variable of the table; None where it is not set or empty."""
    return environment.get(_BY_NAME[name].name) or None


def read_folder(name: str) -> Path | None:
    """An absolute path. Raises InputError for the home of a user that does not exist."""
    text = read_text(name)
    try:
        return Path(text).expanduser().absolute() if text else None
    except RuntimeError as error:
        raise _misfit(name, str(text)) from error


def read_number(name: str, environment: Mapping[str, str] = os.environ) -> float | None:
    """A finite number above 0. Raises InputError for anything else."""
    text = read_text(name, environment)
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not 0 < value < math.inf:
        raise _misfit(name, str(text))
    return value


def read_seconds(name: str, default: int) -> int:
    """Whole seconds. Raises InputError for anything else."""
    text = read_text(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_SECONDS):
        raise _misfit(name, text)
    return int(text)


def read_switch(name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """On or off. Raises InputError for anything else."""
    text = environment.get(name, "").strip().lower()
    if text not in _YES + _NO:
        raise _misfit(name, text)
    return text in _YES


def check_settings() -> None:
    """Raises InputError for the first variable whose value cannot be used."""
    for _, fault in faults():
        raise fault


def faults() -> Iterator[tuple[str, InputError]]:
    """The variables whose values cannot be used, and what is wrong with each."""
    for setting in SETTINGS:
        try:
            _read(setting)
        except InputError as error:
            yield setting.name, error


def _read(setting: Setting) -> object:
    match setting.kind:
        case Kind.FOLDER:
            return read_folder(setting.name)
        case Kind.NUMBER:
            return read_number(setting.name)
        case Kind.SECONDS:
            return read_seconds(setting.name, 1)
        case Kind.SWITCH:
            return read_switch(setting.name)
        case Kind.TEXT | Kind.PLACE:
            return read_text(setting.name)


def _misfit(name: str, text: str) -> InputError:
    return InputError(f"{name} is {text!r}.", f"Give {_BY_NAME[name].kind}, or leave it out.")


def settings_table() -> str:
    """The table in Markdown."""
    rows = [f"| `{s.name}` | {s.kind} | {s.default} | {s.about} |" for s in SETTINGS]
    return "\n".join(["| variable | takes | default | what it sets |", "|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(settings_table())
