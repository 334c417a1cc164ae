"""The watched folder."""

import os
from typing import Any

import dagster as dg

from ds3d_pipeline.defs.jobs import captures, reconstruct_jobs
from ds3d_pipeline.execution.freshness import find_fresh
from ds3d_pipeline.intake.watched.entries import uploads_folder
from ds3d_pipeline.intake.watched.ledger import Order
from ds3d_pipeline.intake.watched.reading import Reader
from ds3d_pipeline.intake.watched.scan import Look, Patience, look
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.home import Home, outputs_folder, prepare_home

EVERY_S = int(os.environ.get("DS3D_UPLOADS_EVERY_S", "15"))
UPLOAD_TAG = "ds3d/upload"
LINES_TOLD = 40
READER = Reader()
"""Of this process: what one tick began to read the next one gets."""


@dg.sensor(
    jobs=reconstruct_jobs,
    minimum_interval_seconds=EVERY_S,
    # On from the start: a watched folder that nobody watches helps no one, and an empty one costs nothing.
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A run for every video, folder of photos or zip that was put into the watched folder.",
)
def capture_uploads(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Every tick tells of every upload what became of it, or what it waits for."""
    home = prepare_home()
    confirmed = int(context.cursor) if context.cursor else None
    # A tick comes a little early now and then; it is a whole tick all the same.
    found = look(home, uploads_folder(home), confirmed, Patience(quiet_s=0.9 * EVERY_S), READER)
    told = _tell(found, home)
    context.log.info(told)
    if not found.orders:
        return dg.SensorResult(skip_reason=told, cursor=str(found.generation))
    return dg.SensorResult(
        run_requests=[_request(home, order) for order in found.orders],
        dynamic_partitions_requests=[captures.build_add_request([order.capture for order in found.orders])],
        cursor=str(found.generation),
    )


def _tell(found: Look, home: Home) -> str:
    lines = found.lines[:LINES_TOLD] or (f"Nothing lies in {uploads_folder(home)}.",)
    more = len(found.lines) - len(lines)
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


def _request(home: Home, order: Order) -> dg.RunRequest:
    """Of a capture that was made before, in another mode for instance, only what is stale runs."""
    mode = MODES[order.mode]
    options = {stage: mode.options_with(stage, order.config.get(stage, {})) for stage in STAGES}
    fresh = find_fresh(home, order.capture, options, {})
    stale = [dg.AssetKey(stage) for stage in STAGES if stage not in fresh]
    return dg.RunRequest(
        run_key=order.run_key,
        job_name=f"reconstruct_{order.mode}",
        partition_key=order.capture,
        run_config=_run_config(home, order, stale),
        tags={UPLOAD_TAG: order.upload},
        asset_selection=stale if fresh else None,
    )


def _run_config(home: Home, order: Order, stale: list[dg.AssetKey]) -> dict[str, Any]:
    tables = {"metrics": {"output": str(outputs_folder(home))}}
    tables |= {stage: tables.get(stage, {}) | table for stage, table in order.config.items()}
    run = {key.path[0] for key in stale}
    return {"ops": {stage: {"config": table} for stage, table in tables.items() if stage in run}}
