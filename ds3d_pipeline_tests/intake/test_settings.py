"""What a file beside an upload may not set."""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.intake.settings import read_sidecar
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.options import list_options
from ds3d_pipeline.stages.modes import MODES

PLACES = {"metrics.output", "depth_maps.model"}


def options():
    for stage in STAGES:
        for option in list_options(MODES["balanced"].options_with(stage, {})):
            yield f"{stage}.{option.name}", option


def takes_text(annotation):
    """Also in lists, tables and what may be nothing; a choice among words is no free text."""
    inside = () if get_origin(annotation) is Literal else get_args(annotation)
    return annotation in (str, Any, Path) or any(map(takes_text, inside))


@pytest.mark.parametrize("annotation", [str, str | None, tuple[str, ...], dict[str, int], Path])
def test_text_is_found_wherever_it_hides(annotation):
    assert takes_text(annotation)
    assert not takes_text(Literal["a", "b"] | None)


def test_every_option_that_takes_any_text_is_marked_as_a_place():
    free = {
        name for name, option in options() if takes_text(option.annotation) and "SHA" not in option.allowed
    }
    assert free == {name for name, option in options() if option.is_place}
    assert free >= PLACES


@pytest.mark.parametrize("name", sorted(name for name, option in options() if option.is_place))
@pytest.mark.fault("sidecar with a path")
def test_a_sidecar_sets_no_place(tmp_path, name):
    table, _, option = name.rpartition(".")
    (tmp_path / "clip.toml").write_text(f'[{table}]\n{option} = "/elsewhere"\n')
    with pytest.raises(InputError, match=name):
        read_sidecar(tmp_path / "clip.toml")
