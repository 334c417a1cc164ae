"""The one status that order, run, journal, last word and metrics make."""

import pytest

from ds3d_pipeline.execution.costs import MADE
from ds3d_pipeline.web.status import (
    NEVER_STARTED,
    NO_DAEMON,
    SHARED,
    Facts,
    Fallback,
    LastWord,
    OrderFacts,
    QueuePlace,
    RunFacts,
    StageStatus,
    job_status,
    waiting_stages,
)

EXPECTED = dict.fromkeys(MADE, 10.0)
ORDER = OrderFacts(capture="fox", mode="quality", asked_at=50.0)
METRICS = {"status": "degraded", "reasons": ["Few photos."], "mode": "fastest", "stages": {}}


def run(state: str, **changes: object) -> RunFacts:
    values = {"run_id": "r1", "run_key": "k1", "capture": "fox", "name": "", "mode": "fastest"}
    return RunFacts(**(values | {"state": state, "created_at": 10.0, "started_at": 12.0} | changes))


def facts(**known: object) -> Facts:
    return Facts(**({"job_id": "fox", "name": "fox", "registered_at": 5.0, "expected": EXPECTED} | known))


def stages(**changes: object) -> tuple[StageStatus, ...]:
    """All waiting but those named, as state, fraction and seconds."""
    return tuple(changes.get(stage.stage, stage) for stage in waiting_stages())


def running(stage: str, fraction: float = 0.5) -> StageStatus:
    return StageStatus(stage=stage, state="running", fraction=fraction, seconds=5.0, message="frame 3 of 9")


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ({"order": ORDER}, "accepted"),
        ({"order": ORDER, "has_daemon": False}, "waiting"),
        ({"order": ORDER, "run": run("finished"), "metrics": METRICS}, "accepted"),
        ({"run": run("queued")}, "queued"),
        ({"run": run("queued"), "has_daemon": False}, "waiting"),
        ({"run": run("running"), "has_daemon": False}, "running"),
        ({"run": run("cancelling")}, "cancelling"),
        ({"run": run("finished"), "metrics": METRICS}, "finished"),
        ({"metrics": METRICS}, "finished"),
        ({"word": LastWord(state="cancelled", mode="fastest", at=20.0)}, "cancelled"),
        ({}, "cancelled"),
    ],
)
def test_the_state_is_what_the_newest_of_the_facts_says(known, state):
    assert job_status(facts(**known)).state == state


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("running", "cancelling"),
        ("failed", "cancelled"),
        ("cancelled", "cancelled"),
        ("finished", "finished"),
    ],
)
def test_a_run_that_was_asked_to_stop_is_stopping_until_it_has_ended(state, shown):
    word = LastWord(state="cancelled", mode="fastest", at=20.0)
    assert job_status(facts(run=run(state), word=word, metrics=METRICS)).state == shown


def test_a_run_after_the_last_word_is_not_what_it_was_about():
    word = LastWord(state="cancelled", mode="fastest", at=9.0)
    assert job_status(facts(run=run("running"), word=word)).state == "running"


def test_a_run_that_was_started_for_a_dropped_order_is_stopping():
    word = LastWord(state="cancelled", mode="fastest", at=9.0, run_key="k1")
    assert job_status(facts(run=run("queued"), word=word)).state == "cancelling"


def test_what_runs_and_what_comes_next_are_named():
    found = job_status(facts(run=run("running"), stages=stages(capture=running("capture"))))
    assert (found.stage, found.next, found.message) == ("capture", "keyframes", "frame 3 of 9")


def test_between_two_stages_the_next_one_is_named():
    done = {stage: StageStatus(stage=stage, state="done", seconds=10.0) for stage in ("capture", "keyframes")}
    found = job_status(facts(run=run("running"), stages=stages(**done)))
    assert (found.stage, found.next) == (None, "poses")
    assert found.progress == pytest.approx(2 / 7, abs=1e-3)


def test_after_the_last_stage_the_results_are_put_together():
    done = {stage: StageStatus(stage=stage, state="done", seconds=10.0) for stage in MADE}
    found = job_status(facts(run=run("running"), stages=stages(**done)))
    assert (found.next, found.progress) == ("metrics", 1.0)


def test_a_finished_job_says_how_it_came_out_and_why():
    found = job_status(facts(run=run("finished"), metrics=METRICS))
    assert (found.status, found.reasons, found.progress) == ("degraded", ("Few photos.",), 1.0)
    assert (found.remaining_s, found.next) == (None, None)


def test_the_result_of_an_earlier_run_is_not_that_of_the_one_that_goes_on():
    found = job_status(facts(run=run("running"), metrics=METRICS, stages=waiting_stages()))
    assert (found.status, found.reasons) == (None, ())


def test_an_order_begins_with_no_stage_made_in_its_own_mode():
    found = job_status(facts(order=ORDER, run=run("finished"), metrics=METRICS, stages=stages()))
    assert (found.mode, found.run_id, found.created_at, found.progress) == ("quality", None, 50.0, 0.0)
    assert found.remaining_s == pytest.approx(70.0, abs=20.0)


def test_a_place_in_the_queue_is_shown_only_before_the_start():
    place = QueuePlace(position=2, of=3)
    assert job_status(facts(run=run("queued"), queue=place)).queue == place
    assert job_status(facts(run=run("running"), queue=place)).queue is None


def test_without_a_daemon_the_message_says_how_to_start_one():
    assert job_status(facts(order=ORDER, has_daemon=False)).message == NO_DAEMON


def test_a_run_that_waits_for_another_capture_says_so_until_a_stage_runs():
    assert job_status(facts(run=run("running"), is_alone=False)).message == SHARED
    assert job_status(facts(run=run("running"))).message == ""
    found = job_status(facts(run=run("running"), is_alone=False, stages=stages(capture=running("capture"))))
    assert found.message == "frame 3 of 9"


def test_a_capture_that_nobody_started_says_so():
    assert job_status(facts()).message == NEVER_STARTED


def test_the_json_has_every_field_of_the_contract():
    fallback = Fallback(backend="gsplat", outcome="failed", reason="No memory.")
    splat = StageStatus(stage="splat", state="running", fraction=0.1, seconds=1.0, fallbacks=(fallback,))
    found = job_status(facts(run=run("running"), stages=stages(splat=splat))).to_json()
    assert set(found) >= {
        "job_id", "mode", "state", "status", "reasons", "stage", "next", "progress", "remaining_s",
        "message", "queue", "stages", "run_id", "created_at", "started_at", "ended_at",
    }  # fmt: skip
    assert set(found["stages"][-1]) >= {
        "stage", "state", "backend", "fraction", "message", "seconds", "remaining_s",
    }  # fmt: skip
    assert found["stages"][-1]["fallbacks"][0]["reason"] == "No memory."
