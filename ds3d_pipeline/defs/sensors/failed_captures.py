"""A run that failed away from the command line gets its report all the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from ds3d_pipeline.defs.jobs import reconstruct_jobs
from ds3d_pipeline.defs.mode import MODE_TAG
from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG
from ds3d_pipeline.execution.failed_run import publish_failed_run
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.intake.request import Wish
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.home import prepare_home

PARTITION_TAG = "dagster/partition"


@dg.run_failure_sensor(monitored_jobs=reconstruct_jobs, default_status=dg.DefaultSensorStatus.RUNNING)
def failed_captures(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Publishes what a failed run did finish, with a report that says why the rest did not."""
    run, home = context.dagster_run, prepare_home()
    capture = run.tags.get(PARTITION_TAG)
    if capture is None or run.tags.get(COMMAND_LINE_TAG) == run.run_id:
        return dg.SkipReason("The command line tells of its own runs.")
    (latest,) = context.instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: capture}), limit=1)
    if latest.run_id != run.run_id:
        return dg.SkipReason("A later run of the capture has more to tell.")
    if run_journal(home, run.run_id).is_cancelled():
        return dg.SkipReason("The run was cancelled.")
    _, folder = publish_failed_run(home, run.run_id, capture, wish_of(run.run_config, run.tags))
    context.log.info(f"What became of {capture} stands in {folder}")
    return None


def wish_of(run_config: Mapping[str, Any], tags: Mapping[str, str]) -> Wish:
    """What the user of the UI asked for, as the command line would have understood it."""
    named = run_config.get("resources", {}).get("mode", {}).get("config", {}).get("name", "auto")
    mode = tags.get(MODE_TAG, DEFAULT_MODE) if named == "auto" else named
    config = {
        stage: {key: value for key, value in op.get("config", {}).items() if value is not None}
        for stage, op in run_config.get("ops", {}).items()
    }
    config.get("capture", {}).pop("inputs", None)
    prefer = {stage: table.pop("prefer") for stage, table in config.items() if "prefer" in table}
    output = config.get("metrics", {}).get("output", MODES[mode].metrics.output)
    return Wish(mode=mode, output=Path(output), config=config, prefer=prefer)
