"""The options that were wrong before: each is refused, or taken as it is meant, in one sentence."""

import dataclasses
import json
from pathlib import Path

import pytest

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.execution.freshness import fingerprint
from ds3d_pipeline.intake.settings import read_config
from ds3d_pipeline.mesh.options import MeshOptions
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.contract import STAGE_ERROR_EXIT, program_main
from ds3d_pipeline.programs.options import list_options, options_with
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.stages.options_table import options_table

ROOT = Path(__file__).parents[2]
BALANCED = MODES["balanced"]


def test_a_whole_number_for_a_float_is_the_float_and_changes_no_fingerprint():
    whole, exact = (BALANCED.options_with("splat", {"max_seconds": value}) for value in (60, 60.0))
    assert type(whole.max_seconds) is float
    assert fingerprint("splat", whole, None, {}) == fingerprint("splat", exact, None, {})


def test_an_inner_option_enters_the_fingerprint():
    changed = BALANCED.options_with("depth_maps", {"consistency": {"sky": {"min_known": 0.4}}})
    assert changed.consistency.sky.min_known == 0.4
    assert changed.consistency.planar_prior == BALANCED.depth_maps.consistency.planar_prior
    before = fingerprint("depth_maps", BALANCED.depth_maps, None, {})
    assert fingerprint("depth_maps", changed, None, {}) != before


@pytest.mark.parametrize(
    ("stage", "table"),
    [
        ("poses", {"max_features": "30"}),
        ("poses", {"max_features": 0}),
        ("poses", {"max_features": 96.5}),
        ("poses", {"max_features": True}),
        ("poses", {"max_features": None}),
        ("keyframes", {"max_frames": -5}),
        ("splat", {"max_seconds": float("nan")}),
        ("splat", {"max_seconds": 1e9}),
        ("splat", {"sh_degree": 9}),
        ("splat", {"train": 1}),
        ("splat", {"recipe": {"shrinks": [[0.0, 1.5]]}}),
        ("mesh", {"texture_px": 5}),
        ("depth_maps", {"model_colors": "purple"}),
        ("depth_maps", {"model_sha256": "12"}),
        ("poses", {"K": [[-700, 0, 300], [0, 700, 200], [0, 0, 1]]}),
        ("poses", {"K": [[700, 3, 300], [0, 700, 200], [0, 0, 1]]}),
        ("poses", {"K": [[700, 0, 300], [0, 700, 200], [0, 0, 2]]}),
        ("poses", {"K": [[700, 0, float("inf")], [0, 700, 200], [0, 0, 1]]}),
        ("poses", {"K": [[700, 0, 300], [0, 700, 200]]}),
        ("poses", {"K": 700}),
    ],
)
@pytest.mark.fault(
    "option of a wrong type", "option out of bounds", "intrinsics that cannot be", "no features"
)
def test_a_value_that_cannot_be_used_is_refused_by_name(stage, table):
    (name,) = table
    with pytest.raises(InputError, match=rf"^{stage}\.{name}[a-z.]* cannot be .*: it takes "):
        BALANCED.options_with(stage, table)


def test_a_record_made_in_code_is_checked_too():
    with pytest.raises(ValueError, match="max_faces"):
        MeshOptions(max_faces=-1)
    with pytest.raises(ValueError, match="max_faces"):
        dataclasses.replace(MeshOptions(), max_faces=-1)


def test_an_option_that_is_not_there_and_a_value_for_a_table_are_refused_with_what_there_is():
    with pytest.raises(InputError, match=r"^mesh has no option 'faces'\. It has .*max_faces"):
        options_with(BALANCED.mesh, {"faces": 3}, "mesh")
    with pytest.raises(InputError, match=r"^mesh\.bake cannot be 3: it is a table of .*detail_power"):
        options_with(BALANCED.mesh, {"bake": 3}, "mesh")


def test_words_of_set_are_values_of_toml_or_json_or_text():
    words = ["poses.max_features=4000", "splat.train=false", "depth_maps.model=a/b@c:d.onnx"]
    nested = ["depth_maps.consistency.min_agreeing=3", "depth_maps.consistency.sky.min_known=0.25"]
    assert read_config(None, [*words, *nested]) == {
        "poses": {"max_features": 4000},
        "splat": {"train": False},
        "depth_maps": {
            "model": "a/b@c:d.onnx",
            "consistency": {"min_agreeing": 3, "sky": {"min_known": 0.25}},
        },
    }
    K = [[700, 0, 320], [0, 700, 240], [0, 0, 1]]
    assert read_config(None, [f"poses.K={json.dumps(K)}"]) == {"poses": {"K": K}}


def test_set_wins_over_a_file_and_leaves_the_rest_of_it(tmp_path):
    (tmp_path / "own.toml").write_text("[splat]\ntrain = true\nseed = 3\n[splat.recipe]\nsh_from = 0.2\n")
    read = read_config(tmp_path / "own.toml", ["splat.seed=4", "splat.recipe.sh_every=0.1"])
    assert read == {"splat": {"train": True, "seed": 4, "recipe": {"sh_from": 0.2, "sh_every": 0.1}}}


@pytest.mark.parametrize(
    "word", ["poses", "poses=3", "poses.=3", ".x=3", "poses.max_features", "nowhere.x=3"]
)
def test_a_word_of_set_that_is_none_is_refused_in_one_sentence(word):
    with pytest.raises(InputError, match="--set "):
        read_config(None, [word])


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".toml"])
def test_ten_thousand_brackets_are_refused_in_one_sentence(tmp_path, suffix):
    deep = "[" * 10_000 + "]" * 10_000
    (tmp_path / f"own{suffix}").write_text(f"x = {deep}" if suffix == ".toml" else deep)
    with pytest.raises(InputError) as refused:
        read_config(tmp_path / f"own{suffix}")
    assert "\n" not in str(refused.value)


def test_a_byte_order_mark_before_a_config_is_no_fault(tmp_path):
    for name, text in (("own.toml", "[poses]\nseed = 3\n"), ("own.json", '{"poses": {"seed": 3}}')):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert read_config(tmp_path / name) == {"poses": {"seed": 3}}


def test_a_program_refuses_options_that_do_not_fit_before_it_works(tmp_path):
    (tmp_path / "options.json").write_text('{"max_faces": 1e9}')
    argv = [str(tmp_path), str(tmp_path / "out"), "--options", str(tmp_path / "options.json")]
    assert program_main(MeshOptions, {"never": lambda work: {}}, argv) == STAGE_ERROR_EXIT
    told = json.loads((tmp_path / "out" / "error.json").read_text())
    assert told["kind"] == "input"
    assert told["cause"].startswith("options.max_faces cannot be ")


@pytest.mark.parametrize("stage", STAGES)
def test_every_default_fits_and_every_option_has_a_text_and_says_what_it_takes(stage):
    for mode in MODES.values():
        options = mode.options(stage)
        assert options_with(type(options)(), dataclasses.asdict(options), stage) == options
    assert all(option.doc and option.allowed for option in list_options(BALANCED.options(stage)))


def test_the_page_of_options_is_the_one_that_is_made():
    assert (ROOT / "docs" / "options.md").read_text(encoding="utf-8") == options_table()
