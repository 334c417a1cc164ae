"""The kit of options records: how they are declared, merged with a user's tables, listed and read.

A record is a frozen pydantic dataclass with bounds and a docstring for each field. Records nest. Whatever the
door (`--config`, `--set`, a sidecar, Dagster, a program's `--options`), `options_with` is the one merge.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard, TypeVar, Union, cast, get_args, get_origin

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass, is_pydantic_dataclass
from pydantic.fields import FieldInfo
from typing_extensions import dataclass_transform

from ds3d_pipeline.errors import InputError, did_you_mean

T = TypeVar("T")
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)
_LONGEST_VALUE = 60


@dataclass_transform(frozen_default=True, kw_only_default=True)
def options_record(record: type[T]) -> type[T]:
    """The decorator of every options record: frozen, by keyword, strict but for whole numbers as floats."""
    return cast(type[T], dataclass(config=_STRICT, frozen=True, kw_only=True)(record))


@dataclasses.dataclass(frozen=True)
class Allowed:
    """What a field takes, in words, where its type and bounds do not say it; part of the annotation."""

    words: str


@dataclasses.dataclass(frozen=True)
class Place:
    """Marks an option that is a path or a URL, as part of the annotation.

    Only who may start programs on this machine sets it; a file that came with an upload does not.
    """


SidePx = Annotated[int, Field(ge=16, le=20_000)]
"""A side of a picture."""
Seconds = Annotated[float, Field(ge=0.001, le=1e6)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Option:
    """One field of a record or of a record nested in it."""

    name: str
    """With the names of the records it is nested in, joined by dots."""
    value: Any
    annotation: Any
    """Its Python type, without bounds."""
    allowed: str
    """What it takes, in words: a type and bounds."""
    doc: str
    """One line."""
    is_place: bool
    """Whether it is a path or a URL."""


def list_options(options: Any, prefix: str = "") -> Iterator[Option]:
    """Every field of a record with its value there, nested ones after their record's name."""
    for name, field in record_fields(_type_of(options)).items():
        value = getattr(options, name)
        if is_record(value):
            yield from list_options(value, f"{prefix}{name}.")
        else:
            yield Option(
                name=prefix + name,
                value=value,
                annotation=field.annotation,
                allowed=allowed_words(field),
                doc=" ".join((field.description or "").split()),
                is_place=any(isinstance(mark, Place) for mark in field.metadata),
            )


def _type_of(value: object) -> type[Any]:
    """Any for a value of which nothing is known."""
    return type(value)


def is_record(value: object) -> bool:
    """Whether a value is an options record."""
    return is_pydantic_dataclass(_type_of(value))


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a table, as TOML, YAML or JSON give it."""
    return isinstance(value, dict)


def record_fields(record: type[Any]) -> dict[str, FieldInfo]:
    """The fields of a record's type."""
    if not is_pydantic_dataclass(record):
        raise TypeError(f"{record.__name__} is no options record")
    return dict(record.__pydantic_fields__)


def options_with(base: T, table: Mapping[str, Any], name: str = "options") -> T:
    """`base` with the values of a table, which may nest, in their place.

    Raises InputError about the first value that does not fit: it names the option as `name`.option, the value
    and what is allowed.
    """
    if not table:
        return base
    merged: dict[str, Any] = {}
    try:
        merged = _as_json(merged_tables(dataclasses.asdict(cast(Any, base)), table))
        return _adapter(type(base)).validate_json(json.dumps(merged))
    except ValidationError as error:
        raise _refusal(base, merged, error, name) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"The values of {name} cannot be read.", "Nest them less deeply.") from error


def table_of(options: Any) -> Any:
    """The table that says the same as an options record, all its values; what is no record, as it is."""
    if not is_record(options):
        return options
    return _adapter(_type_of(options)).dump_python(options, mode="json")


def read_options(path: Path, base: T, name: str = "options") -> T:
    """`base` with the values of a JSON file; raises InputError where that is no table or one that misfits."""
    try:
        table = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}.", "Give a table of options.") from error
    if not is_table(table):
        raise InputError(f"{path} holds no table.", "Give a table of options.")
    return options_with(base, table, name)


def allowed_words(field: FieldInfo) -> str:
    """What a field takes, in words."""
    for mark in field.metadata:
        if isinstance(mark, Allowed):
            return mark.words
    kind, optional = _without_none(field.annotation)
    words = _kind_words(kind) + _bounds_words(field.metadata)
    return f"{words}, or nothing" if optional else words


def _as_json(table: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives it back, in which tuples are lists and a date is text."""
    return json.loads(json.dumps(table, default=str))


@cache
def _adapter(record: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(record)


def merged_tables(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables, nested ones too; what is in both comes from `above`."""
    merged = dict(below)
    for key, value in above.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = merged_tables(cast(Mapping[str, Any], before), cast(Mapping[str, Any], value))
        merged[key] = value
    return merged


def _refusal(base: Any, merged: dict[str, Any], error: ValidationError, name: str) -> InputError:
    """One sentence about the first thing that is wrong."""
    place, value, default = error.errors()[0]["loc"], merged, base
    for depth, part in enumerate(place):
        fields, key = record_fields(_type_of(default)), str(part)
        if key not in fields:
            remedy = f"{did_you_mean(key, fields)}It has {', '.join(fields)}."
            return InputError(f"{name} has no option {key!r}.", remedy)
        field, value, default, name = fields[key], value[key], getattr(default, key), f"{name}.{key}"
        if not is_record(default):
            remedy = f"Leave it out to get {shown(default)}."
            return InputError(f"{name} cannot be {shown(value)}: it takes {allowed_words(field)}.", remedy)
        if depth == len(place) - 1:
            table = f"it is a table of {', '.join(record_fields(_type_of(default)))}"
            return InputError(f"{name} cannot be {shown(value)}: {table}.", "Set one of these.")
    return InputError(f"The values of {name} do not fit: {error.errors()[0]['msg']}.", "Check its text.")


def shown(value: Any) -> str:
    """A value as a user would write it, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0], len(kinds) < len(get_args(annotation))


_KINDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _kind_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(shown, get_args(kind)))}"
    return _KINDS.get(kind) or "a list"


def _bounds_words(metadata: list[Any]) -> str:
    bounds = {name: value for mark in metadata for name, value in _bounds(mark)}
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if low is None or high is None:
        return ""
    above = "above" if "gt" in bounds else "from"
    to = "to below" if "lt" in bounds else "to"
    return f" {above} {_plain(low)} {to} {_plain(high)}"


def _bounds(mark: Any) -> Iterator[tuple[str, float]]:
    for name in ("ge", "gt", "le", "lt"):
        if getattr(mark, name, None) is not None:
            yield name, getattr(mark, name)


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def checked(check: Callable[[T], str | None]) -> Callable[[T], T]:
    """A validator, for `AfterValidator`, of a check that returns what is wrong or None."""

    def validate(value: T) -> T:
        if wrong := check(value):
            raise ValueError(wrong)
        return value

    return validate
