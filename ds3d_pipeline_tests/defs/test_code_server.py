"""What a code location that starts makes of the runs of its predecessor."""

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from ds3d_pipeline.defs.code_server import end_lost_runs, find_lost_runs
from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG
from ds3d_pipeline_tests.homes import make_home

STATUS = dg.DagsterRunStatus
ENDED = (STATUS.SUCCESS, STATUS.FAILURE)


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (STATUS.STARTING, STATUS.FAILURE),
        (STATUS.STARTED, STATUS.FAILURE),
        (STATUS.CANCELING, STATUS.CANCELED),
    ],
)
def test_runs_that_had_begun_are_ended_and_their_scratch_goes(instance, tmp_path, before, after):
    home = make_home(tmp_path)
    run_id = create_run_for_test(instance, status=before).run_id
    (home.work / run_id / "mesh").mkdir(parents=True)
    assert find_lost_runs(instance) == [run_id]
    end_lost_runs(instance, home, [run_id])
    assert instance.get_run_by_id(run_id).status == after
    assert not list(home.work.iterdir())


@pytest.mark.parametrize("status", [STATUS.NOT_STARTED, STATUS.SUCCESS, STATUS.FAILURE])
def test_runs_that_wait_or_have_ended_stay_as_they_are(instance, tmp_path, status):
    run_id = create_run_for_test(instance, status=status).run_id
    assert find_lost_runs(instance) == []
    end_lost_runs(instance, make_home(tmp_path), [run_id] if status in ENDED else [])
    assert instance.get_run_by_id(run_id).status == status


def test_a_run_of_the_command_line_is_none_of_its_business(instance):
    run_id = "a" * 32
    create_run_for_test(instance, run_id=run_id, status=STATUS.STARTED, tags={COMMAND_LINE_TAG: run_id})
    assert find_lost_runs(instance) == []
