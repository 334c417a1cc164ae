"""The kit of report records: what a stage's program measured, checked where it is made and read."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import dataclass_transform

T = TypeVar("T")
_RECORD = ConfigDict(use_attribute_docstrings=True)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def report_record(record: type[T]) -> type[T]:
    """The decorator of every report record.

    Frozen and by keyword. Its docstrings are the descriptions of `metrics.json`'s schema. A field that not
    every backend measures is None where it was not measured.
    """
    return dataclass(config=_RECORD, frozen=True, kw_only=True)(record)  # pyright: ignore[reportReturnType]
