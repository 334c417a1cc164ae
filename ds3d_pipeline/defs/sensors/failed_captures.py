"""A run that failed away from the command line gets its report all the same."""

import dagster as dg

from ds3d_pipeline.defs.launch import request_of
from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG, PARTITION_TAG, STATUS_TAG, errors_by_stage
from ds3d_pipeline.defs.sensors.notify import note_of
from ds3d_pipeline.execution.failed_run import publish_failed_run
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.execution.notifying import addresses, send
from ds3d_pipeline.storage.home import prepare_home


# Of all jobs: a launch from the asset graph or a backfill has one of Dagster's own.
@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Publishes what a failed run did finish, with a report that says why the rest did not.",
)
def failed_captures(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """One look at one failed run."""
    run, home = context.dagster_run, prepare_home()
    capture = run.tags.get(PARTITION_TAG)
    if capture is None:
        return dg.SkipReason("The run had no capture.")
    if run.tags.get(COMMAND_LINE_TAG) == run.run_id:
        return dg.SkipReason("The command line publishes the failures of its own runs.")
    (latest,) = context.instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: capture}), limit=1)
    if latest.run_id != run.run_id:
        return dg.SkipReason("There is a later run of this capture.")
    if run_journal(home, run.run_id).is_cancelled():
        return dg.SkipReason("The run was cancelled.")
    request = request_of(run.run_config, run.tags)
    errors = errors_by_stage(context.instance, run.run_id)
    content, folder = publish_failed_run(home, run.run_id, request, errors)
    context.instance.add_run_tags(run.run_id, {STATUS_TAG: content["status"]})
    context.log.info(f"The report of {capture} is in {folder}")
    if addresses():
        context.log.info(send(note_of(home, capture, content, folder)))
    return None
