"""A code location with one asset, `depth_maps`, whose ladder is named by `DS3D_TEST_LADDER`."""

import dataclasses
import os

import dagster as dg

from ds3d_pipeline.defs.config import StageConfig
from ds3d_pipeline.defs.executors import step_executor
from ds3d_pipeline.defs.io_manager import BundleIOManager
from ds3d_pipeline.defs.materialize import materialize, stage_asset
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.programs.rungs import Box, MemoryModel, Program, Rung
from ds3d_pipeline.stages.table import STAGE_CARDS

BOXED_IMAGE = "ds3d-test-boxed"
BOXES = {
    "missing_image": Box(image="ds3d-test-nowhere:1"),
    "wrong_image": Box(image="debian:bookworm-slim"),
    "no_image": Box(image="No Image!"),
    "tiny": Box(image="ds3d-test-tiny"),
    "no_gpu": Box(image=BOXED_IMAGE, gpu="must"),
}
"""Those that are not the usual one of `boxed/`."""
MEMORY_MB: dict[str, MemoryModel] = {}
"""Of those rungs that are to be judged before they start."""


def make_rung(name: str) -> Rung:
    """A rung of `rungs.py`; after `box.` one of `boxed/boxed.py`."""
    if not name.startswith("box."):
        return Rung(name=name, module="ds3d_pipeline_tests.defs.rungs", memory_mb=MEMORY_MB.get(name))
    backend = name.removeprefix("box.")
    box = BOXES.get(backend, Box(image=BOXED_IMAGE))
    program = Program(backend="works" if backend in BOXES else backend, box=box)
    return Rung(name=name, module="boxed", programs=(program,))


def make_defs(*names: str) -> dg.Definitions:
    """The definitions of one asset over the rungs of `rungs.py` that `names` lists."""
    rungs = tuple(make_rung(name) for name in names)
    STAGE_CARDS["depth_maps"] = dataclasses.replace(STAGE_CARDS["depth_maps"], rungs=rungs)

    @stage_asset("depth_maps")
    def depth_maps(
        context: dg.AssetExecutionContext, config: StageConfig, mode: ModeResource
    ) -> dg.MaterializeResult:
        return materialize(context, "depth_maps", config, mode, {})

    return dg.Definitions(
        assets=[depth_maps],
        jobs=[dg.define_asset_job("run_ladder", selection=[depth_maps])],
        executor=step_executor,
        resources={"mode": ModeResource(), "io_manager": BundleIOManager()},
    )


def from_environment() -> dg.Definitions:
    """`make_defs` for a process of its own."""
    return make_defs(*os.environ["DS3D_TEST_LADDER"].split(","))
