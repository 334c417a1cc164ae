"""One job a mode: the tag carries the mode, because a job's own config is lost on some routes."""

import dagster as dg

from ds3d_pipeline.defs.mode import MODE_TAG
from ds3d_pipeline.stages.modes import MODES

captures = dg.DynamicPartitionsDefinition(name="captures")


reconstruct_jobs = [
    dg.define_asset_job(
        f"reconstruct_{name}",
        selection=dg.AssetSelection.groups("reconstruction"),
        tags={MODE_TAG: name},
        description=f"Reconstructs a capture in mode {name}.",
    )
    for name in MODES
]
