"""A code location with one asset, `depth_maps`, whose ladder is named by `DS3D_TEST_LADDER`."""

import os

import dagster as dg

from ds3d_pipeline.backends import LADDERS, Rung
from ds3d_pipeline.defs.ladder import StageConfig, materialize, stage_asset
from ds3d_pipeline.defs.resources import ModeResource
from ds3d_pipeline.defs.storage import BundleIOManager


def make_defs(*names: str) -> dg.Definitions:
    """The definitions of one asset over the rungs of `rungs.py` that `names` lists."""
    LADDERS["depth_maps"] = tuple(Rung(name=name, module="ds3d_pipeline_tests.defs.rungs") for name in names)

    @stage_asset("depth_maps", kinds={"numba"})
    def depth_maps(
        context: dg.AssetExecutionContext, config: StageConfig, mode: ModeResource
    ) -> dg.MaterializeResult:
        return materialize(context, "depth_maps", config, mode, {})

    return dg.Definitions(
        assets=[depth_maps],
        jobs=[dg.define_asset_job("climb", selection=[depth_maps])],
        resources={"mode": ModeResource(), "io_manager": BundleIOManager()},
    )


def from_environment() -> dg.Definitions:
    """`make_defs` for a process of its own."""
    return make_defs(*os.environ["DS3D_TEST_LADDER"].split(","))
