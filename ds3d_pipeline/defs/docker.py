"""Dagster's part in a container: `execute_docker_container` of dagster-docker as the runner's `Execute`.

It creates, starts and awaits the container, and pulls its image where that is allowed. It prints what the
container writes, gives no reason for a failure, and removes nothing, not even on an interrupt: the runner
does all that. A run launcher of dagster-docker that names networks of its own makes it fail, as these
containers have none.
"""

import functools

import dagster as dg

from ds3d_pipeline.containers.runner import Container, run_container
from ds3d_pipeline.execution.rung import ContainerRunner


def container_runner(context: dg.AssetExecutionContext) -> ContainerRunner:
    """The container runner of a step."""
    return functools.partial(run_container, functools.partial(_execute, context.op_execution_context))


def _execute(context: dg.OpExecutionContext, container: Container) -> None:
    from dagster_docker import execute_docker_container

    execute_docker_container(
        context,
        image=container.image,
        entrypoint=container.entrypoint,
        command=container.command,
        networks=["none"],
        env_vars=container.env_vars,
        container_kwargs=container.settings,
    )
