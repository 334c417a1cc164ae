"""How the steps of a run start: each in a process of its own, forked from the run's, which has loaded all."""

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.programs.runner import KERNEL_ENDS_CHILDREN
from ds3d_pipeline.programs.tied import tie
from ds3d_pipeline.storage.home import prepare_home

FORK = {"fork": {}}
"""Loading Dagster and the definitions anew takes each step seconds, more than some stages do.

Dagster's config has no word for it, as a fork in the middle of what another thread does may hang. The other
threads of a run's process only wait: for its termination, for events to send, and for the next heartbeat.
"""
CLAIM_EVERY_S = 0.25
_DAGSTERS = dg.multi_or_in_process_executor


class AttendedExecutor(dg.Executor):
    """Another executor, whose process lets its heart beat for the run, and waits quietly for pools."""

    def __init__(self, inner: dg.Executor) -> None:
        self._inner = inner

    @property
    def retries(self) -> RetryMode:
        """As the other has it."""
        return self._inner.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """As the other has it."""
        return self._inner.step_dependency_config

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """The events of the other."""
        _tie_forks()
        with run_journal(prepare_home(), plan_context.run_id).beating(), patient_claims():
            yield from self._inner.execute(plan_context, execution_plan)


@functools.cache
def _tie_forks() -> None:
    """From now on whatever is forked from this process goes with it, so that no step outlives its run."""
    if KERNEL_ENDS_CHILDREN:
        os.register_at_fork(after_in_child=lambda: tie(os.getppid()))


@contextlib.contextmanager
def patient_claims(before_sleep: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Lets a run that waits for a pool sleep between its looks.

    Dagster 1.13 looks again at once, with half a core: the sleep that it computes is never above zero.
    `before_sleep` may raise to end the waiting.
    """
    claim = InstanceConcurrencyContext.claim

    def patient(self: InstanceConcurrencyContext, *args: Any, **kwargs: Any) -> bool:
        is_claimed = claim(self, *args, **kwargs)
        # A step of this run that goes on has events to be read.
        if not is_claimed and not self._claims:
            before_sleep()
            time.sleep(CLAIM_EVERY_S)
        return is_claimed

    InstanceConcurrencyContext.claim = patient
    try:
        yield
    finally:
        InstanceConcurrencyContext.claim = claim


def _attended(context: dg.InitExecutorContext) -> dg.Executor:
    make = _DAGSTERS.executor_creation_fn
    assert make is not None
    return AttendedExecutor(make(context._replace(executor_config=_forking(context.executor_config))))


def _forking(config: Mapping[str, Any]) -> Mapping[str, Any]:
    steps = config.get("multiprocess")
    # Windows cannot fork, and on a Mac a fork of what has loaded the system's libraries may crash.
    if steps is None or steps.get("start_method") or sys.platform != "linux":
        return config
    return {"multiprocess": {**steps, "start_method": FORK}}


# Under the name and with the config of Dagster's own, so that launching a run is as in its documentation.
step_executor = dg.ExecutorDefinition(
    name=_DAGSTERS.name,
    config_schema=_DAGSTERS.config_schema.as_field(),
    requirements=_DAGSTERS.get_requirements,
    executor_creation_fn=_attended,
    description=_DAGSTERS.description,
)
