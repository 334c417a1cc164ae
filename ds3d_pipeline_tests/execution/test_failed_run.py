"""What is published of a run that failed, away from Dagster."""

import json

import pytest

from ds3d_pipeline.execution.failed_run import publish_failed_run
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.stages.plan import Plan
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline_tests.homes import make_home

CAPTURE = "wall-00000000"


def registered_home(folder):
    home = make_home(folder)
    for name in ("request.json", "upload.json"):
        path = home.registered / CAPTURE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"inputs": [], "sha256": ""}')
    return home


@pytest.fixture
def publish(tmp_path):
    """A function that publishes the run `one` after these attempts of its mesh, and returns the metrics."""

    def make(*attempts: Attempt, **tables: dict):
        home = registered_home(tmp_path / "home")
        journal = run_journal(home, "one")
        journal.begin("capture", Plan(rungs=("local",), skipped=()))
        journal.record("capture", Attempt(backend="local", outcome="ok"))
        journal.begin("mesh", Plan(rungs=("poisson", "relief"), skipped=()))
        for attempt in attempts:
            journal.record("mesh", attempt)
        output = tmp_path / "out"
        request = RunRequest(capture=CAPTURE, mode="fastest", output=output, tables=tables, source="dagster")
        metrics, folder = publish_failed_run(home, "one", request)
        assert json.loads((folder / "metrics.json").read_text()) == metrics
        assert (folder / "report.html").exists()
        return metrics

    return make


def test_the_stage_that_failed_is_named_with_what_its_backends_said(publish):
    told = publish(
        Attempt(backend="poisson", outcome="crashed", reason="The program crashed with SIGSEGV."),
        Attempt(backend="relief", outcome="failed", reason="No view is left."),
    )
    assert told["status"] == "failed"
    assert told["reasons"][0] == "Mesh: No view is left."


def test_a_run_whose_stages_have_nothing_to_say_refers_to_its_events(publish):
    told = publish(Attempt(backend="poisson", outcome="ok"))
    assert told["status"] == "failed"
    assert "See the run's events" in told["reasons"][0]


def test_options_that_do_not_fit_are_the_cause_where_no_stage_has_another(publish):
    """As the launchpad of Dagster takes them: the run fails before its first stage."""
    ok = Attempt(backend="poisson", outcome="ok")
    told = publish(ok, mesh={"max_faces": -1})
    assert told["status"] == "failed"
    assert told["reasons"][0].startswith("Report: mesh.max_faces cannot be -1: it takes ")


def test_what_a_stage_said_comes_before_options_that_do_not_fit(publish):
    told = publish(Attempt(backend="relief", outcome="failed", reason="No view is left."), soup={})
    assert told["reasons"][0] == "Mesh: No view is left."


def test_on_a_full_disk_where_no_attempt_could_be_written_the_error_of_the_step_is_the_cause(tmp_path):
    home = registered_home(tmp_path / "home")
    request = RunRequest(capture=CAPTURE, mode="fastest", output=tmp_path / "out", source="dagster")
    logs = {
        "poses": "Traceback (most recent call last):\nOSError: [Errno 28] No space left on device: '/a'\n"
    }
    metrics, _ = publish_failed_run(home, "one", request, logs)
    assert metrics["reasons"][0] == (
        "Camera positions: The disk is full: free some space, then run the same command again."
    )
