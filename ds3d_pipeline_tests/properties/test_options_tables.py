"""A table of options: what is asked for is what a stage gets, or one sentence says why not."""

import contextlib
import dataclasses
import json
import math
import typing

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ds3d_pipeline.defs.config import check_run_config, options_table, stage_config
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.execution.freshness import fingerprint
from ds3d_pipeline.intake.settings import read_config, read_sidecar
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.options import list_options, read_options, record_fields
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline_tests.properties.strategies import floats

matrices = st.tuples(floats(1, 1e4), floats(1, 1e4), floats(0, 1e4), floats(0, 1e4)).map(
    lambda known: [[known[0], 0, known[2]], [0, known[1], known[3]], [0, 0, 1]]
)
SPECIAL = {
    "K": matrices | st.none(),
    "shrinks": st.sampled_from([[[0, 1]], [[0.0, 4], [0.5, 1.0]]]),
    "texture_px": st.sampled_from([0, 64, 1024]),
    "model_sha256": st.sampled_from(["", "0a" * 32]),
    "output": st.sampled_from(["here", "out/there"]),
}
"""Options whose types do not say which values fit."""
words = st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=12)


def bounds_of(field):
    """The least and the greatest value of a number, just inside where they do not count themselves."""
    found = {name: getattr(mark, name) for mark in field.metadata for name in ("ge", "gt", "le", "lt")
             if hasattr(mark, name)}  # fmt: skip
    low = found["ge"] if "ge" in found else math.nextafter(found["gt"], math.inf)
    high = found["le"] if "le" in found else math.nextafter(found["lt"], -math.inf)
    return low, high


def values(name, field):
    """What an option may be set to."""
    if name in SPECIAL:
        return SPECIAL[name]
    if typing.get_origin(field.annotation) is typing.Literal:
        return st.sampled_from(typing.get_args(field.annotation))
    if field.annotation is bool:
        return st.booleans()
    if field.annotation is str:
        return words
    low, high = bounds_of(field)
    whole = st.integers(math.ceil(low), math.floor(high))
    if field.annotation is int:
        return whole
    inside = st.floats(low, high, allow_nan=False, allow_subnormal=False)
    return inside | whole if math.ceil(low) <= math.floor(high) else inside


def table_of(options):
    """Any table of this record."""
    fields = record_fields(type(options))
    nested = {name for name in fields if dataclasses.is_dataclass(getattr(options, name))}
    entries = {
        name: table_of(getattr(options, name)) if name in nested else values(name, field)
        for name, field in fields.items()
    }
    return st.fixed_dictionaries({}, optional=entries)


tables = st.fixed_dictionaries(
    {}, optional={stage: table_of(MODES["balanced"].options(stage)) for stage in STAGES}
)


@given(tables)
def test_a_table_is_read_as_it_was_written(scratch, asked):
    (scratch / "own.json").write_text(json.dumps(asked))
    (scratch / "own.yaml").write_text(yaml.safe_dump(asked))
    assert read_config(scratch / "own.json") == asked
    assert read_config(scratch / "own.yaml") == asked


def without_nothing(table):
    """Dagster takes an option that is nothing for one that is not set, as it is by default."""
    pairs = (
        (key, without_nothing(value) if isinstance(value, dict) else value) for key, value in table.items()
    )
    return {key: value for key, value in pairs if value not in (None, {})}


@pytest.mark.parametrize("mode", MODES)
@given(tables)
def test_every_door_gives_the_same_options_and_fingerprint(scratch, mode, asked):
    (scratch / "own.json").write_text(json.dumps(asked))
    for stage, table in read_config(scratch / "own.json").items():
        options = MODES[mode].options(stage)
        from_file = MODES[mode].options_with(stage, table)
        config = stage_config(stage)(**without_nothing(table))
        write_json(scratch / "options.json", from_file)
        for other in (config.apply(MODES[mode], stage), read_options(scratch / "options.json", options)):
            assert other == from_file
            assert fingerprint(stage, other, None, {}) == fingerprint(stage, from_file, None, {})
        kept = {name for name in vars(options) if name not in table}
        assert all(getattr(from_file, name) == getattr(options, name) for name in kept)


def every_number():
    for stage in STAGES:
        yield from _numbers(stage, MODES["balanced"].options(stage), "")


def _numbers(stage, options, prefix):
    for name, field in record_fields(type(options)).items():
        value = getattr(options, name)
        if dataclasses.is_dataclass(value):
            yield from _numbers(stage, value, f"{prefix}{name}.")
        elif field.annotation in (int, float) and name not in SPECIAL:
            yield stage, prefix + name, *bounds_of(field)


def doors(folder, stage, name, value):
    """Every way in, with this one option set."""
    asked = value
    for part in reversed(name.split(".")):
        asked = {part: asked}
    (folder / "own.json").write_text(json.dumps({stage: asked}))
    (folder / "options.json").write_text(json.dumps(asked))
    options = MODES["balanced"].options(stage)
    return (
        lambda: read_config(folder / "own.json"),
        lambda: read_config(None, [f"{stage}.{name}={json.dumps(value)}"]),
        lambda: read_options(folder / "options.json", options, stage),
        lambda: check_run_config(MODES["balanced"], {"ops": {stage: {"config": asked}}}),
    )


@pytest.mark.parametrize(("stage", "name", "low", "high"), list(every_number()))
def test_a_number_out_of_its_bounds_is_refused_at_every_door(scratch, stage, name, low, high):
    whole = isinstance(low, int)
    below = low - 1 if whole else math.nextafter(low, -math.inf)
    above = high + 1 if whole else math.nextafter(high, math.inf)
    for value in (below, above, math.nan, math.inf, "30", True):
        for door in doors(scratch, stage, name, value):
            with pytest.raises(InputError, match=rf"{stage}\.{name} cannot be .*: it takes "):
                door()


def test_a_table_of_dagsters_config_leaves_out_what_is_no_option():
    config = stage_config("capture")(inputs=["a"], prefer="local", max_files=3)
    assert options_table(config.model_dump()) == {"max_files": 3}


@given(st.sampled_from(STAGES), st.text(st.characters(codec="ascii", categories=("L",)), min_size=1))
def test_an_unknown_option_is_named(scratch, stage, name):
    if name in vars(MODES["balanced"].options(stage)):
        return
    (scratch / "own.json").write_text(json.dumps({stage: {name: 1}}))
    with pytest.raises(InputError, match=name):
        read_config(scratch / "own.json")


@pytest.mark.parametrize("stage", STAGES)
def test_a_table_where_a_value_belongs_is_named(scratch, stage):
    for option in list_options(MODES["balanced"].options(stage)):
        asked = {"no": "option"}
        for part in reversed(option.name.split(".")):
            asked = {part: asked}
        (scratch / "own.json").write_text(json.dumps({stage: asked}))
        with pytest.raises(InputError, match=option.name):
            read_config(scratch / "own.json")


def without_places(asked):
    """The tables without what a sidecar may not set."""
    for stage in asked:
        for option in list_options(MODES["balanced"].options_with(stage, {})):
            if option.is_place:
                asked[stage].pop(option.name, None)
    return asked


@given(st.sampled_from(sorted(MODES)) | st.none(), tables.map(without_places))
def test_a_sidecars_mode_stands_above_its_tables(scratch, mode, asked):
    told = asked if mode is None else {"mode": mode, **asked}
    (scratch / "clip.json").write_text(json.dumps(told))
    assert read_sidecar(scratch / "clip.json") == (mode, asked)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_one_sentence(scratch, data):
    for name in ("own.json", "own.yaml", "own.toml"):
        (scratch / name).write_bytes(data)
        with contextlib.suppress(InputError):
            assert isinstance(read_config(scratch / name), dict)
