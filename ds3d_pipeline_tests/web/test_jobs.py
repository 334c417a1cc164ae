"""What the server knows of the captures of its home, and what it does with them."""

import json

import dagster as dg
import pytest

from ds3d_pipeline.defs.asked import asked_for
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.intake.orders import orders
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.stages.plan import Plan
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.web.jobs import Jobs
from ds3d_pipeline.web.preview import preview_folder
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.status import SHARED
from ds3d_pipeline.web.words import read_word
from ds3d_pipeline_tests.homes import make_home
from ds3d_pipeline_tests.web.homes import add_run, finish, order, register

STATUS = dg.DagsterRunStatus


@pytest.fixture
def home(tmp_path):
    home = make_home(tmp_path)
    register(home, "fox")
    return home


@pytest.fixture
def instance():
    """In memory; one on disk takes seconds to make."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def jobs(home, instance):
    jobs = Jobs(home, instance)
    yield jobs
    jobs.close()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (STATUS.STARTING, "starting"),
        (STATUS.STARTED, "running"),
        (STATUS.CANCELING, "cancelling"),
        (STATUS.CANCELED, "cancelled"),
        (STATUS.FAILURE, "failed"),
        (STATUS.SUCCESS, "finished"),
        (STATUS.QUEUED, "waiting"),
    ],
)
def test_a_job_is_as_its_run_is_whoever_started_it(jobs, instance, status, state):
    add_run(instance, "one", status)
    assert jobs.status("fox").state == state


def test_an_order_counts_until_its_run_is_there(jobs, home, instance):
    order(home, "key")
    assert (jobs.status("fox").state, jobs.status("fox").name) == ("waiting", "My fox")
    add_run(instance, "one", STATUS.STARTED, dagster__run_key="key")
    assert jobs.status("fox").state == "running"


def test_stages_of_a_running_job_come_from_its_journal(jobs, home, instance):
    add_run(instance, "one", STATUS.STARTED)
    journal = run_journal(home, "one")
    journal.begin("capture", Plan(rungs=("local",), skipped=()))
    journal.record("capture", Attempt(backend="local", outcome=Outcome.OK, seconds=1.0))
    journal.begin("keyframes", Plan(rungs=("a", "b"), skipped=()))
    journal.record("keyframes", Attempt(backend="a", outcome=Outcome.FAILED, reason="No.", seconds=1.0))
    journal.record("keyframes", Attempt(backend="b", outcome=Outcome.STARTED))
    found = jobs.status("fox")
    assert [stage.state for stage in found.stages[:3]] == ["done", "running", "waiting"]
    assert (found.stage, found.next, found.stages[1].backend) == ("keyframes", "poses", "b")
    assert [fallback.backend for fallback in found.stages[1].fallbacks] == ["a"]
    assert 0 < found.progress < 0.1


def test_no_sentence_says_where_things_are_on_the_server(jobs, home, instance):
    add_run(instance, "one", STATUS.STARTED)
    journal = run_journal(home, "one")
    journal.begin("poses", Plan(rungs=("a", "b"), skipped=()))
    reason = f"No room in {home.work}/one/poses: [Errno 28] '{home.root}/x'. Free some."
    journal.record("poses", Attempt(backend="a", outcome=Outcome.FAILED, reason=reason))
    text = json.dumps(jobs.status("fox").to_json())
    assert "No room in the server's disk" in text
    assert str(home.root) not in text


def test_a_run_beside_that_of_another_capture_says_what_it_waits_for(jobs, home, instance):
    register(home, "owl")
    add_run(instance, "one", STATUS.STARTED)
    assert jobs.status("fox").message == ""
    add_run(instance, "two", STATUS.STARTED, "owl")
    assert jobs.status("fox").message == SHARED
    assert {status.message for status in jobs.listing(None, 10)} == {SHARED}


def test_a_run_that_will_be_taken_up_is_queued_until_it_is(jobs, instance):
    add_run(instance, "one", STATUS.FAILURE, dagster__will_retry="true")
    assert jobs.status("fox").state == "waiting"
    add_run(instance, "two", STATUS.STARTED)
    assert jobs.status("fox").state == "running"


def test_the_queue_counts_orders_and_queued_runs_by_their_age(jobs, home, instance):
    for capture in ("hare", "owl"):
        register(home, capture)
    add_run(instance, "one", STATUS.QUEUED, "hare")
    order(home, "key-owl", "owl", age_s=100.0)
    order(home, "key-fox", "fox", age_s=-100.0)
    found = {name: jobs.status(name).queue for name in ("owl", "hare", "fox")}
    assert {name: (place.position, place.of) for name, place in found.items()} == {
        "owl": (1, 3),
        "hare": (2, 3),
        "fox": (3, 3),
    }


def test_the_list_has_every_capture_newest_first_a_page_at_a_time(jobs, home, instance):
    for number, capture in enumerate(("hare", "owl", "elk")):
        register(home, capture)
        order(home, f"key-{capture}", capture, age_s=100.0 * (number + 1))
    first = jobs.listing(None, 2)
    assert [status.job_id for status in first] == ["fox", "hare"]
    rest = jobs.listing((first[-1].created_at, first[-1].job_id), 10)
    assert [status.job_id for status in rest] == ["owl", "elk"]


@pytest.mark.parametrize("name", ["nobody", "../fox", "", "fox/../fox", ".", "f" * 300, "\0"])
def test_a_name_that_no_capture_has_is_refused(jobs, name):
    with pytest.raises(Problem) as refused:
        jobs.status(name)
    assert refused.value.status == 404


def test_a_finished_capture_says_how_it_came_out(jobs, home, instance):
    finish(home)
    found = jobs.status("fox")
    assert (found.state, found.mode, found.progress) == ("finished", "balanced", 1.0)
    assert found.status in ("ok", "degraded")
    assert {stage.state for stage in found.stages} == {"done"}


def test_an_accepted_job_is_cancelled_at_once_and_remembered(jobs, home):
    order(home, "key")
    assert jobs.cancel("fox") == "cancelled"
    assert orders(home) == []
    assert (jobs.status("fox").state, jobs.status("fox").mode) == ("cancelled", "fastest")


def test_a_run_that_the_sensor_had_in_its_hands_is_cancelled_as_well(jobs, home, instance):
    order(home, "key")
    jobs.cancel("fox")
    add_run(instance, "one", STATUS.STARTED, dagster__run_key="key")
    assert jobs.status("fox").state == "cancelling"


def test_a_run_that_is_not_in_the_queue_yet_is_cancelled_once_it_is(jobs, instance):
    add_run(instance, "one", STATUS.NOT_STARTED)
    assert jobs.cancel("fox") == "cancelling"
    assert instance.get_run_by_id("one").status == STATUS.NOT_STARTED
    instance.report_run_canceled(instance.get_run_by_id("one"))
    assert jobs.status("fox").state == "cancelled"


def test_a_run_of_the_command_line_is_stopped_by_its_journal(jobs, home, instance):
    add_run(instance, "one", STATUS.STARTED, ds3d__command_line="one")
    assert jobs.cancel("fox") == "cancelling"
    assert run_journal(home, "one").is_cancelled()


class Nobody:
    """Looks on while the command line waits."""

    def wait_for(self, capture: str, since: float) -> None:
        pass

    def look(self) -> None:
        pass


@pytest.fixture
def waiting(home):
    """The command line waits for its turn with the capture `fox`."""
    request = RunRequest(
        capture="fox", mode="quality", output=home.root / "outputs", upload="My fox", source="command_line"
    )
    with asked_for(home, request, Nobody()) as onlooker:
        yield onlooker


def test_a_run_of_the_command_line_that_waits_for_its_turn_is_queued(jobs, waiting):
    found = jobs.status("fox")
    assert (found.state, found.mode, found.name) == ("queued", "quality", "My fox")
    assert [(one.job_id, one.state) for one in jobs.listing(None, 5)] == [("fox", "queued")]


def test_it_is_so_whatever_became_of_the_run_before(jobs, instance, home):
    add_run(instance, "one", STATUS.FAILURE)
    request = RunRequest(capture="fox", mode="quality", output=home.root / "outputs", source="command_line")
    with asked_for(home, request, Nobody()):
        assert jobs.status("fox").state == "queued"
    assert jobs.status("fox").state == "failed"


def test_its_own_run_takes_its_place(jobs, instance, waiting):
    add_run(instance, "one", STATUS.STARTED, ds3d__command_line="one")
    assert (jobs.status("fox").state, jobs.status("fox").run_id) == ("running", "one")


def test_a_run_that_waits_at_the_command_line_is_told_to_wait_no_longer(jobs, waiting):
    waiting.look()
    assert jobs.cancel("fox") == "cancelling"
    with pytest.raises(KeyboardInterrupt):
        waiting.look()


def test_a_run_that_would_be_taken_up_is_not_after_a_cancel(jobs, instance):
    add_run(instance, "one", STATUS.FAILURE, dagster__will_retry="true")
    assert jobs.cancel("fox") == "cancelled"
    assert instance.get_run_by_id("one").tags["dagster/will_retry"] == "false"


def test_what_has_ended_cannot_be_cancelled(jobs, instance):
    add_run(instance, "one", STATUS.SUCCESS)
    with pytest.raises(Problem, match="fox is finished already"):
        jobs.cancel("fox")


def test_once_more_keeps_what_was_asked_for_but_for_what_is_changed(jobs, home, instance):
    add_run(instance, "one", STATUS.FAILURE, ds3d__upload="My fox")
    found = jobs.again("fox", "quality", "mesh")
    (placed,) = orders(home)
    assert (placed.request.mode, placed.request.start) == ("quality", "mesh")
    assert placed.request.upload == "My fox"
    assert found.mode == "quality"


def test_once_more_after_a_cancel_is_no_longer_cancelled(jobs, home):
    order(home, "key")
    jobs.cancel("fox")
    jobs.again("fox", None, None)
    assert jobs.status("fox").state == "waiting"
    assert read_word(home, "fox") is None


@pytest.mark.parametrize(
    "action", [lambda jobs: jobs.again("fox", None, None), lambda jobs: jobs.delete("fox")]
)
def test_a_job_that_goes_on_is_neither_started_again_nor_deleted(jobs, instance, action):
    add_run(instance, "one", STATUS.STARTED)
    with pytest.raises(Problem) as refused:
        action(jobs)
    assert (refused.value.status, refused.value.cause) == (409, "fox is running.")


def test_deleting_takes_what_was_received_as_well_and_says_how_much_that_was(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home = prepare_home()
    received, mine = home.root / "received" / "one", tmp_path / "mine.jpg"
    received.mkdir(parents=True)
    preview = preview_folder(home, "fox") / "1-1.spz"
    preview.parent.mkdir(parents=True)
    preview.touch()
    for path in (received / "a.jpg", mine):
        path.write_bytes(b"0" * 1000)
    register(home, "fox", (received / "a.jpg",))
    register(home, "owl", (mine,))
    with dg.DagsterInstance.get() as instance:
        jobs = Jobs(home, instance)
        assert jobs.delete("fox") > 1000
        jobs.delete("owl")
        assert not jobs.exists("fox")
    assert (received.exists(), preview.exists(), mine.exists()) == (False, False, True)
