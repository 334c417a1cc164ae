"""A backend in one file: a rung and nothing else; with `DS3D_TEST_TOY` it is on the card of `mesh`."""

import dataclasses

from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.stages.table import STAGE_CARDS

TOY = Rung(name="toy", module="ds3d_pipeline_tests.defs.rungs", summary="a surface of toy bricks")
RUNGS = (TOY, *STAGE_CARDS["mesh"].rungs)


def add_toy() -> None:
    """For a process of its own."""
    STAGE_CARDS["mesh"] = dataclasses.replace(STAGE_CARDS["mesh"], rungs=RUNGS)
