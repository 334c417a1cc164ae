"""From what was asked for to a run that Dagster starts: the same for every sensor that starts runs."""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from ds3d_pipeline.defs.jobs import captures
from ds3d_pipeline.defs.launch import launch_of
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.execution.freshness import find_fresh
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.faults import explain
from ds3d_pipeline.stages.table import depending_on
from ds3d_pipeline.storage.home import Home


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is given to Dagster, and a line on each request that cannot be at present."""

    requests: list[dg.RunRequest]
    troubles: list[str]

    @property
    def partitions(self) -> dg.AddDynamicPartitionsRequest:
        """Adds the captures of the requests."""
        keys = [request.partition_key for request in self.requests if request.partition_key]
        return captures.build_add_request(keys)


def dagster_requests(home: Home, asked: Mapping[str, RunRequest]) -> Asked:
    """The requests by their run keys, each by itself: one that fails is named, and passed by."""
    found = Asked(requests=[], troubles=[])
    for run_key, request in asked.items():
        try:
            request.check_fits()
            found.requests.append(dagster_request(home, run_key, request))
        except (StageError, OSError) as error:
            known = explain(error, [home.root])
            if known is None:
                raise
            found.troubles.append(f"{request.upload or request.capture} cannot be run: {known}")
    return found


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
