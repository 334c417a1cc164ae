"""A table of options in a file: what is asked for is what a stage gets, or one sentence says why not."""

import contextlib
import dataclasses
import json
import types
import typing

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.intake.request import read_config, read_sidecar
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline_tests.properties.strategies import floats

matrices = st.lists(st.lists(floats(-1e4, 1e4), min_size=3, max_size=3), min_size=3, max_size=3)
VALUES = {
    bool: st.booleans(),
    int: st.integers(0, 10**6),
    float: floats(0, 1e6),
    str: st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=12),
}


def values(kind):
    """What an option of this type may be set to."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return matrices
    return VALUES[kind]


def table_of(stage):
    """Any table of this stage."""
    kinds = typing.get_type_hints(type(MODES["balanced"].options(stage)))
    return st.fixed_dictionaries({}, optional={name: values(kind) for name, kind in kinds.items()})


tables = st.fixed_dictionaries({}, optional={stage: table_of(stage) for stage in STAGES})


def frozen(value):
    return tuple(map(frozen, value)) if isinstance(value, list) else value


@given(tables)
def test_a_table_is_read_as_it_was_written(scratch, asked):
    (scratch / "own.json").write_text(json.dumps(asked))
    (scratch / "own.yaml").write_text(yaml.safe_dump(asked))
    assert read_config(scratch / "own.json") == asked
    assert read_config(scratch / "own.yaml") == asked


@pytest.mark.parametrize("mode", MODES)
@given(tables)
def test_options_with_a_table_survive_the_file_that_a_program_reads(scratch, mode, asked):
    for stage, table in asked.items():
        options = MODES[mode].options(stage)
        changed = dataclasses.replace(options, **{name: frozen(value) for name, value in table.items()})
        write_json(scratch / "options.json", changed)
        assert read_json(scratch / "options.json", type(options)) == changed
        kept = {name for name in vars(options) if name not in table}
        assert all(getattr(changed, name) == getattr(options, name) for name in kept)


@given(st.sampled_from(STAGES), st.text(st.characters(codec="ascii", categories=("L",)), min_size=1))
def test_an_unknown_option_is_named(scratch, stage, name):
    if name in vars(MODES["balanced"].options(stage)):
        return
    (scratch / "own.json").write_text(json.dumps({stage: {name: 1}}))
    with pytest.raises(InputError, match=name):
        read_config(scratch / "own.json")


@given(st.sampled_from(STAGES), st.data())
def test_a_value_of_another_type_is_named(scratch, stage, data):
    kinds = typing.get_type_hints(type(MODES["balanced"].options(stage)))
    name = data.draw(st.sampled_from(sorted(kinds)))
    (scratch / "own.json").write_text(json.dumps({stage: {name: {"no": "option"}}}))
    with pytest.raises(InputError, match=name):
        read_config(scratch / "own.json")


@given(st.sampled_from(sorted(MODES)) | st.none(), tables)
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
