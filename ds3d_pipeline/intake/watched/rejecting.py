"""What is complete and surely no capture goes to `rejected/`, with a text that says why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.intake.watched.entries import REJECTED, Entry


def reject(folder: Path, entry: Entry, error: InputError, *, with_sidecar: bool) -> str:
    """Moves an upload to `rejected/` of the watched `folder` and returns the sentence about it."""
    place = folder / REJECTED
    try:
        place.mkdir(exist_ok=True)
        target = next(path for path in _places(place, entry.path) if not os.path.lexists(path))
        # The text first: a stop between the two leaves an upload that is looked at again.
        target.with_name(target.name + ".txt").write_text(f"{error}\n", encoding="utf-8")
        shutil.move(entry.path, target)
        if with_sidecar and entry.sidecar:
            shutil.move(entry.sidecar, target.with_name(f"{target.name}.toml"))
    except OSError as trouble:
        return f"unusable, and could not be moved to {REJECTED}/ ({trouble.strerror}): {error}"
    return f"moved to {REJECTED}/: {error}"


def _places(place: Path, path: Path) -> Iterator[Path]:
    yield place / path.name
    for number in range(2, 1_000_000):
        yield place / f"{path.stem}-{number}{path.suffix}"
