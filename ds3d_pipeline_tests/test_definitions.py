"""What Dagster sees."""

import dataclasses
import functools
import operator
import typing
from pathlib import Path

import pytest

import ds3d_pipeline
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs import capture, depth, export, keyframes, mesh, poses, splat
from ds3d_pipeline.defs.mode import MODE_TAG
from ds3d_pipeline.names import STAGES
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


CONFIGS = {
    "capture": capture.CaptureConfig,
    "keyframes": keyframes.KeyframesConfig,
    "poses": poses.PosesConfig,
    "depth_maps": depth.DepthConfig,
    "pointcloud": depth.PointcloudConfig,
    "mesh": mesh.MeshConfig,
    "splat": splat.SplatConfig,
    "metrics": export.MetricsConfig,
}


def config_type(kind):
    """The type of an option in Dagster's config, which knows lists where frozen options hold tuples."""
    arguments = tuple(config_type(argument) for argument in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return list[arguments[0]]
    return functools.reduce(operator.or_, arguments) if arguments else kind


@pytest.mark.parametrize("stage", STAGES)
def test_every_option_can_be_set_and_is_described(stage):
    fields = CONFIGS[stage].model_fields
    options = MODES["balanced"].options(stage)
    for name, kind in typing.get_type_hints(type(options)).items():
        assert fields[name].annotation == config_type(kind) | None, f"{stage}.{name}"
        assert fields[name].description
    own = {"prefer", "inputs", *(field.name for field in dataclasses.fields(options))}
    assert fields.keys() <= own
