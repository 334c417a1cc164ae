"""Everything that Dagster loads."""

import dagster as dg

from ds3d_pipeline.defs import assets, deleting
from ds3d_pipeline.defs.executors import step_executor
from ds3d_pipeline.defs.io_manager import BundleIOManager
from ds3d_pipeline.defs.jobs import reconstruct_jobs
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.defs.sensors import cleaning, notify
from ds3d_pipeline.defs.sensors.failed_captures import failed_captures
from ds3d_pipeline.defs.sensors.watched_folder import capture_uploads
from ds3d_pipeline.defs.sensors.web_orders import web_orders

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([assets]),
    jobs=[*reconstruct_jobs, cleaning.clean, deleting.delete],
    sensors=[
        capture_uploads,
        web_orders,
        failed_captures,
        cleaning.leftovers,
        cleaning.lost_runs,
        notify.notify_finished,
        notify.notify_rejected,
    ],
    resources={"mode": ModeResource(), "io_manager": BundleIOManager()},
    executor=step_executor,
)
