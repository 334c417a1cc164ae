"""How steps are started, and that a launch may still say otherwise."""

import sys
from typing import Any

import dagster as dg
import pytest

from ds3d_pipeline.defs.executors import FORKSERVER, step_executor


@dg.op
def rest() -> None:
    pass


@dg.job(executor_def=step_executor)
def resting() -> None:
    rest()


def resolved(config: dict[str, Any]) -> dict[str, Any]:
    """What Dagster's own executor gets of a launch's config."""
    run_config = {"execution": {"config": config}} if config else {}
    return dg.validate_run_config(resting, run_config)["execution"]["multi_or_in_process_executor"]


@pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")
@pytest.mark.parametrize("config", [{}, {"multiprocess": {"max_concurrent": 1}}])
def test_steps_are_forked_from_a_process_that_has_loaded_everything(config):
    steps = resolved(config)["multiprocess"]
    assert steps["start_method"] == FORKSERVER
    assert steps["max_concurrent"] == config.get("multiprocess", {}).get("max_concurrent")


def test_a_launch_may_choose_otherwise():
    assert resolved({"multiprocess": {"start_method": {"spawn": {}}}})["multiprocess"]["start_method"] == {
        "spawn": {}
    }
    assert "in_process" in resolved({"in_process": {}})
