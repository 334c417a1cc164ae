"""What a home tells of its captures, as records and on the command line."""

import json
import time

import dagster as dg
import pytest

from ds3d_pipeline.defs.runs import latest_words
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_capture
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.inventory import list_captures, read_status
from ds3d_pipeline_tests.captures import run_ds3d
from ds3d_pipeline_tests.finished import make_bundles
from ds3d_pipeline_tests.homes import FELL_BACK, make_home, put_bundle

UNUSABLE = 2
TOLD = json.dumps({"status": "degraded", "mode": "balanced", "reasons": ["The mesh is a relief."]})


@pytest.fixture(params=["local", "memory"])
def home(tmp_path, request):
    """A finished capture, one that stopped after its first stage, and one that only was registered."""
    storage = f"memory://{tmp_path.name}" if request.param == "memory" else None
    home = make_home(tmp_path / "home", storage)
    put_bundle(home, "capture", "done", "a" * 100)
    put_bundle(home, "mesh", "done", "old" * 999)
    put_bundle(home, "mesh", "done", "new", attempts=FELL_BACK)
    put_bundle(home, "metrics", "done", TOLD)
    put_bundle(home, "capture", "stopped", "b" * 50)
    (home.registered / "waiting").mkdir()
    return home


def test_every_capture_is_listed_with_what_counts(home):
    done, stopped, waiting = list_captures(home)
    assert (done.name, done.status, done.mode, done.stages) == ("done", "degraded", "balanced", 3)
    assert done.bytes == 100 + 3 + len(TOLD)
    if home.storage.startswith("memory:"):
        assert done.finished_at is None
    else:
        assert abs(done.finished_at - time.time()) < 600
    assert (stopped.name, stopped.status, stopped.stages, stopped.bytes) == ("stopped", "unfinished", 1, 50)
    assert (waiting.name, waiting.finished_at, waiting.stages) == ("waiting", None, 0)


def test_a_capture_without_a_finished_run_has_the_word_of_its_latest_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home = prepare_home()
    put_bundle(home, "metrics", "done", TOLD)
    ended = [("done", "FAILURE"), ("failed", "SUCCESS"), ("failed", "FAILURE"), ("stopped", "CANCELED")]
    with dg.DagsterInstance.get() as instance:
        for capture, status in [*ended, ("going", "STARTED"), ("next", "NOT_STARTED"), ("part", "SUCCESS")]:
            (home.registered / capture).mkdir(parents=True, exist_ok=True)
            tags, status = {"dagster/partition": capture}, dg.DagsterRunStatus[status]
            run_id = f"{capture}-{status.value}"
            instance.add_run(dg.DagsterRun(job_name="job", run_id=run_id, status=status, tags=tags))
    told = {summary.name: summary.status for summary in list_captures(home, latest_words(home))}
    assert told == {
        "done": "degraded",
        "failed": "failed",
        "stopped": "cancelled",
        "going": "running",
        "next": "queued",
        "part": "unfinished",
    }


def test_the_status_of_one_capture(home):
    status = read_status(home, "done")
    assert list(status.reports) == ["capture", "mesh"]
    assert status.reports["mesh"].attempts == FELL_BACK
    assert status.metrics["status"] == "degraded"
    assert read_status(home, "stopped").metrics is None


def test_an_unknown_capture_is_named(home):
    with pytest.raises(InputError, match="nowhere"):
        read_status(home, "nowhere")


@pytest.mark.slow
def test_on_the_command_line(tmp_path):
    home = make_home(tmp_path / "home")
    assert "No captures" in run_ds3d(home.root, "list").stdout
    put_bundle(home, "mesh", "done", "new", attempts=FELL_BACK)
    bundles = make_bundles(tmp_path / "bundles", attempts={"mesh": FELL_BACK})
    metrics = publish_capture(Story(capture="done", mode="balanced"), bundles, tmp_path / "out")
    put_bundle(home, "metrics", "done", json.dumps(metrics))

    (line,) = run_ds3d(home.root, "list", "--json").stdout.splitlines()
    assert json.loads(line)["status"] == "degraded"
    assert "balanced" in run_ds3d(home.root, "list").stdout

    shown = run_ds3d(home.root, "status", "done").stdout
    assert "poisson failed: No [surface]." in shown
    assert metrics["reasons"][0] in " ".join(shown.split())
    told = json.loads(run_ds3d(home.root, "status", "done", "--json").stdout)
    assert told["reports"]["mesh"]["backend"] == "relief"

    unknown = run_ds3d(home.root, "status", "nowhere")
    assert unknown.returncode == UNUSABLE
    assert len(unknown.stderr.splitlines()) == 1
