"""The code location that a run of the command line belongs to: else Dagster's UI cannot re-execute it."""

import functools
import sys

import dagster as dg
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from ds3d_pipeline.names import DEFINITIONS

REPOSITORY = "__repository__"
"""As Dagster calls the one of a module with definitions."""


def origin_of(job_name: str) -> RemoteJobOrigin:
    """The job as Dagster's web server and daemon know it."""
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=DEFINITIONS)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, location_name=DEFINITIONS)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, REPOSITORY), job_name)


def give_origin(instance: dg.DagsterInstance, job_name: str) -> None:
    """Has the runs that are made in this process with `instance` say where they belong to.

    `execute_in_process` has no argument for it.
    """
    create = functools.partial(instance.create_run_for_job, remote_job_origin=origin_of(job_name))
    instance.create_run_for_job = create  # type: ignore[method-assign]
