"""Frozen records to JSON files and back, checked on the way in."""

from __future__ import annotations

import functools
import os
import uuid
from pathlib import Path
from typing import Any, TypeVar

from ds3d_pipeline.programs.folders import replace_durably

T = TypeVar("T")


def write_json(path: Path, record: Any, *, durable: bool = False) -> None:
    """Writes a dataclass (or plain JSON value) so that no reader ever sees half of it.

    Where it is `durable`, a power cut after the return does not undo it.
    """
    from pydantic import RootModel

    # A name of its own: two processes may write the same record at once.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    text = RootModel[type(record)](record).model_dump_json(indent=2, by_alias=True)
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        if durable:
            replace_durably(partial, path)
        else:
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_json(path: Path, record_type: type[T]) -> T:
    """Reads what `write_json` wrote; raises ValueError naming the file where it does not fit."""
    from pydantic import ValidationError

    try:
        return _adapter(record_type).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is not a {record_type.__name__} record: {error}") from error


@functools.cache
def _adapter(record_type: Any) -> Any:
    """Made once a type: making it takes a hundred times as long as reading a small file."""
    from pydantic import TypeAdapter

    return TypeAdapter(record_type)
