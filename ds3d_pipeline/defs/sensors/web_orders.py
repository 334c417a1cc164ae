"""The orders of the upload page."""

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from ds3d_pipeline.defs.jobs import reconstruct_jobs
from ds3d_pipeline.defs.sensors.requests import dagster_requests
from ds3d_pipeline.intake.orders import Order, drop_order, orders
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.registrations import is_registered

EVERY_S = 2
"""So long an upload waits before its run is queued, and up to five with Dagster's own daemon."""


@dg.sensor(
    jobs=reconstruct_jobs,
    minimum_interval_seconds=EVERY_S,
    # On from the start: who sends something to the page wants it done, and no orders cost nothing.
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run for each upload of the page.",
)
def web_orders(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """An order is dropped by the tick after the one that gave it to Dagster, once Dagster has the run."""
    home = prepare_home()
    waiting: list[Order] = []
    for order in orders(home):
        if _has_run(context.instance, order) or not is_registered(home, order.request.capture):
            drop_order(home, order.run_key)
        else:
            waiting.append(order)
    asked = dagster_requests(home, {order.run_key: order.request for order in waiting})
    for trouble in asked.troubles:
        context.log.warning(trouble)
    if not asked.requests:
        return dg.SkipReason("\n".join(asked.troubles) or "No upload waits for its run.")
    return dg.SensorResult(run_requests=asked.requests, dynamic_partitions_requests=[asked.partitions])


def _has_run(instance: dg.DagsterInstance, order: Order) -> bool:
    return bool(instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: order.run_key}), limit=1))
