"""The cards: what they agree with, and that a backend is added in one place."""

import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import ds3d_pipeline
from ds3d_pipeline.cli import doctor
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.intake.request import read_prefer
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.stages import documentation
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.stages.table import STAGE_CARDS, depending_on, products
from ds3d_pipeline_tests.stages.cards import change_card
from ds3d_pipeline_tests.stages.toy_backend import RUNGS

ROOT = Path(ds3d_pipeline.__file__).parents[1]


@pytest.fixture
def toy(monkeypatch):
    change_card(monkeypatch, "mesh", rungs=RUNGS)


def test_there_is_a_card_for_every_stage_in_the_order_in_which_they_run():
    assert tuple(STAGE_CARDS) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_only_what_is_made_before_it(stage):
    assert set(STAGE_CARDS[stage].reads) <= set(STAGES[: STAGES.index(stage)])


@pytest.mark.parametrize("stage", STAGES)
def test_the_modes_hold_the_cards_own_options_and_its_knobs_are_among_them(stage):
    options = MODES["quality"].options(stage)
    assert type(options) is STAGE_CARDS[stage].options
    for knob in STAGE_CARDS[stage].knobs:
        assert getattr(options, knob.option) > knob.least


@pytest.mark.parametrize("stage", STAGES)
def test_every_backend_has_a_plain_name_of_its_own(stage):
    names = [rung.label for rung in STAGE_CARDS[stage].rungs]
    assert all(names)
    assert len(set(names)) == len(names)


def test_what_depends_on_the_points_are_surface_splat_and_metrics():
    assert depending_on("pointcloud") == {"pointcloud", "mesh", "splat", "metrics"}
    assert depending_on("capture") == set(STAGES)


def test_the_committed_page_of_backends_is_the_one_that_the_cards_make():
    assert (ROOT / "docs" / "backends.md").read_text(encoding="utf-8") == documentation.page()


@pytest.mark.parametrize("name", ["README.md", "docs/using.md"])
def test_the_marked_tables_of_a_page_are_those_that_the_cards_make(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- /" in text
    assert documentation.with_tables(text) == text


def test_the_products_begin_with_the_mesh_and_end_with_what_publishing_writes():
    names = [product.name for _, product in products()]
    assert names[:2] == ["model.glb", "model.splat.ply"]
    assert names[-3:] == ["report.html", "view.html", "metrics.json"]


def test_a_marked_table_is_made_anew_and_the_text_around_it_stays():
    old = "before\n<!-- files -->\nold\n<!-- /files -->\nafter"
    new = documentation.with_tables(old)
    assert new == f"before\n<!-- files -->\n{documentation.files_table()}\n<!-- /files -->\nafter"
    with pytest.raises(KeyError):
        documentation.with_tables("<!-- soup -->\n<!-- /soup -->")


def test_a_backend_of_one_rung_stands_in_the_page_of_backends(toy):
    assert "| `mesh` | `toy` | a surface of toy bricks | a process |" in documentation.page()


def test_a_backend_of_one_rung_can_be_preferred_on_the_command_line(toy):
    assert read_prefer(["mesh=toy"]) == {"mesh": "toy"}
    with pytest.raises(InputError, match="mesh has toy, poisson, relief"):
        read_prefer(["mesh=bricks"])


def test_a_backend_of_one_rung_is_in_what_doctor_says(toy, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "console", lambda: Console(width=400))
    doctor.print_machine()
    assert "toy, then poisson, then relief" in capsys.readouterr().out


LAUNCHPAD = """
from ds3d_pipeline_tests.stages.toy_backend import add_toy
add_toy()
from ds3d_pipeline.definitions import defs
fields = defs.resolve_job_def("reconstruct_balanced").get_node_named("mesh").definition.config_schema
print(fields.config_type.fields["prefer"].description)
"""


def test_a_backend_of_one_rung_is_offered_in_the_launchpad():
    done = subprocess.run([sys.executable, "-c", LAUNCHPAD], capture_output=True, text=True, check=True)
    assert "Backend to try first: toy, poisson, relief." in done.stdout
