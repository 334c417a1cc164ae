"""Everything that Dagster loads."""

import dagster as dg

from ds3d_pipeline.defs import capture, depth, export, keyframes, mesh, poses, splat
from ds3d_pipeline.defs.failures import failed_captures
from ds3d_pipeline.defs.jobs import reconstruct_jobs
from ds3d_pipeline.defs.resources import ModeResource
from ds3d_pipeline.defs.storage import BundleIOManager

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([capture, keyframes, poses, depth, mesh, splat, export]),
    jobs=reconstruct_jobs,
    sensors=[failed_captures],
    resources={"mode": ModeResource(), "io_manager": BundleIOManager()},
)
