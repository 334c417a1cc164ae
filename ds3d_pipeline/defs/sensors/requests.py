"""From what was asked for to a run that Dagster starts: the same for every sensor that starts runs."""

import dagster as dg

from ds3d_pipeline.defs.launch import launch_of
from ds3d_pipeline.execution.freshness import find_fresh
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.stages.table import depending_on
from ds3d_pipeline.storage.home import Home


def dagster_request(home: Home, run_key: str, request: RunRequest) -> dg.RunRequest:
    """Of a capture that was made before, in another mode for instance, only what is stale runs."""
    fresh = find_fresh(home, request.capture, request.all_options(), request.prefer)
    again = depending_on(request.start) if request.start else frozenset[str]()
    kept = {stage: stored.version for stage, stored in fresh.items() if stage not in again}
    stale = [stage for stage in STAGES if stage not in kept]
    launch = launch_of(request, stale, kept)
    return dg.RunRequest(
        run_key=run_key,
        job_name=launch.job_name,
        partition_key=request.capture,
        run_config=launch.run_config,
        tags=launch.tags,
        asset_selection=[dg.AssetKey(stage) for stage in stale] if kept else None,
    )
