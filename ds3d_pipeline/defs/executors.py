"""How the steps of a run start: each in a process of its own, forked from one that has loaded everything."""

import sys
from typing import Any

import dagster as dg

FORKSERVER = {"forkserver": {"preload_modules": ["ds3d_pipeline.definitions"]}}
"""Loading Dagster and the definitions anew takes each step seconds, more than some stages do."""


def _forking(config: dict[str, Any]) -> dict[str, Any]:
    steps = config.get("multiprocess")
    # Windows cannot fork, and on a Mac a fork of what has loaded the system's libraries may crash.
    if steps is None or steps.get("start_method") or sys.platform != "linux":
        return config
    return {"multiprocess": {**steps, "start_method": FORKSERVER}}


# Under the name and with the config of Dagster's own, so that launching a run is as in its documentation.
step_executor = dg.multi_or_in_process_executor.configured(
    _forking,
    name=dg.multi_or_in_process_executor.name,
    config_schema=dg.multi_or_in_process_executor.config_schema.as_field(),
)
