"""Everything that Dagster loads."""

import dagster as dg

from ds3d_pipeline.defs import capture, cleaning, depth, export, keyframes, mesh, poses, splat
from ds3d_pipeline.defs.executor import step_executor
from ds3d_pipeline.defs.failures import failed_captures
from ds3d_pipeline.defs.jobs import reconstruct_jobs
from ds3d_pipeline.defs.resources import ModeResource
from ds3d_pipeline.defs.sensors import capture_uploads
from ds3d_pipeline.defs.storage import BundleIOManager

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([capture, keyframes, poses, depth, mesh, splat, export]),
    jobs=[*reconstruct_jobs, cleaning.clean],
    sensors=[capture_uploads, failed_captures, cleaning.leftovers, cleaning.lost_runs],
    resources={"mode": ModeResource(), "io_manager": BundleIOManager()},
    executor=step_executor,
)
