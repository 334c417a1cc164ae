"""What Dagster sees."""

import typing
from pathlib import Path

import pytest

import ds3d_pipeline
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.config import stage_config
from ds3d_pipeline.defs.mode import MODE_TAG
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.options import list_options
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.stages.table import STAGE_CARDS


def test_the_lineage_is_the_table_of_reads():
    graph = defs.resolve_asset_graph()
    for stage, card in STAGE_CARDS.items():
        node = next(node for node in graph.asset_nodes if node.key.path == [stage])
        assert {key.path[0] for key in node.parent_keys} == set(card.reads)
        assert node.group_name == "reconstruction"


def test_the_instance_of_a_checkout_is_that_of_a_new_home():
    root = Path(ds3d_pipeline.__file__).parent
    assert (root.parent / "dagster.yaml").read_text() == (root / "storage" / "dagster.yaml").read_text()


def test_every_mode_has_a_job_that_carries_it():
    for mode in ("fastest", "balanced", "quality"):
        assert defs.resolve_job_def(f"reconstruct_{mode}").tags[MODE_TAG] == mode


def fields_of(config):
    """Name with the tables it is nested in, and field, of every field of a config."""
    for name, field in config.model_fields.items():
        below = [kind for kind in typing.get_args(field.annotation) if hasattr(kind, "model_fields")]
        if below:
            yield from ((f"{name}.{inner}", it) for inner, it in fields_of(below[0]))
        else:
            yield name, field


@pytest.mark.parametrize("stage", STAGES)
def test_every_option_can_be_set_and_is_described(stage):
    fields = dict(fields_of(stage_config(stage)))
    for option in list_options(MODES["balanced"].options(stage)):
        described = fields.pop(option.name)
        assert described.default is None
        assert option.doc in described.description
        assert option.allowed in described.description
    assert fields.keys() <= {"prefer", "inputs"}
