"""How the steps of a run start: each in a process of its own, forked from one that has loaded everything."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._core.executor import multiprocess
from dagster._core.executor.multiprocess import MultiprocessExecutorChildProcessCommand

from ds3d_pipeline.defs.forking import LOADED, end_with_parent, share_fork_server
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.storage.home import prepare_home

FORKSERVER = {"forkserver": {"preload_modules": list(LOADED)}}
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
        share_fork_server()
        run_id, storage = plan_context.run_id, plan_context.instance.event_log_storage
        with run_journal(prepare_home(), run_id).beating(), patient_claims(), tied_steps():
            try:
                yield from self._inner.execute(plan_context, execution_plan)
            finally:
                # A step that is cancelled while it starts leaves its place taken, for a minute or more.
                storage.free_concurrency_slots_for_run(run_id)


class TiedStep(MultiprocessExecutorChildProcessCommand):
    """A step in a process of its own, which ends with that of its run."""

    def execute(self) -> Iterator[dg.DagsterEvent]:
        """The events of the step."""
        end_with_parent()
        yield from super().execute()


@contextlib.contextmanager
def tied_steps() -> Iterator[None]:
    """Has Dagster start steps that do not outlive their run: a killed run is taken up again by another."""
    theirs = multiprocess.MultiprocessExecutorChildProcessCommand
    multiprocess.MultiprocessExecutorChildProcessCommand = TiedStep
    try:
        yield
    finally:
        multiprocess.MultiprocessExecutorChildProcessCommand = theirs


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
    return AttendedExecutor(make(context))


def _forking(config: dict[str, Any]) -> dict[str, Any]:
    steps = config.get("multiprocess")
    # Windows cannot fork, and on a Mac a fork of what has loaded the system's libraries may crash.
    if steps is None or steps.get("start_method") or sys.platform != "linux":
        return config
    return {"multiprocess": {**steps, "start_method": FORKSERVER}}


# Under the name and with the config of Dagster's own, so that launching a run is as in its documentation.
step_executor = dg.ExecutorDefinition(
    name=_DAGSTERS.name,
    config_schema=_DAGSTERS.config_schema.as_field(),
    requirements=_DAGSTERS.get_requirements,
    executor_creation_fn=_attended,
    description=_DAGSTERS.description,
).configured(_forking, name=_DAGSTERS.name, config_schema=_DAGSTERS.config_schema.as_field())
