"""The last word on a job, kept in the home: what neither an order, a run nor a finished folder shows."""

from __future__ import annotations

from pathlib import Path

from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.web.status import LastWord


def _path(home: Home, job: str) -> Path:
    return home.root / "jobs" / f"{job}.json"


def read_word(home: Home, job: str) -> LastWord | None:
    """None where nothing was said, or where it cannot be read."""
    try:
        return read_json(_path(home, job), LastWord)
    except (FileNotFoundError, ValueError):
        return None


def write_word(home: Home, job: str, word: LastWord) -> None:
    """Takes the place of an earlier one."""
    path = _path(home, job)
    path.parent.mkdir(exist_ok=True)
    write_json(path, word)


def forget_word(home: Home, job: str) -> None:
    """Nothing where there is none."""
    _path(home, job).unlink(missing_ok=True)
