"""What a run's journal remembers, where it lies, and that a reader never sees half of it."""

import json
import subprocess
import sys

import pytest

from ds3d_pipeline.execution.journal import FolderJournal, Reached, note_lost_attempt, run_journal
from ds3d_pipeline.execution.progress import StageState, progress_line, stage_state
from ds3d_pipeline.stages.plan import Plan
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline_tests.homes import make_home

PASSED = Attempt(backend="gsplat", outcome="skipped", reason="No GPU.")
STARTED = Attempt(backend="cpu", outcome="started")
OK = Attempt(backend="cpu", outcome="ok", seconds=3.0)
PLAN = Plan(rungs=("cpu", "light"), skipped=(PASSED,))


@pytest.fixture
def journal(tmp_path) -> FolderJournal:
    return FolderJournal(tmp_path / "run")


def test_a_journal_that_nobody_wrote_is_empty(journal):
    assert journal.plan("splat") is None
    assert journal.attempts("splat") == ()
    assert journal.started_at("splat") == 0.0
    assert journal.reached("splat") == Reached()
    assert not journal.is_cancelled()
    assert journal.finished() is None
    assert journal.used("splat") is None
    assert stage_state(journal, "splat") == StageState(stage="splat", state="waiting")


def test_it_is_read_by_another_object_as_it_was_written(journal, tmp_path):
    journal.begin("splat", PLAN)
    journal.record("splat", STARTED)
    other = FolderJournal(tmp_path / "run")
    assert other.plan("splat") == PLAN
    assert other.attempts("splat") == (PASSED, STARTED)
    assert other.attempts("mesh") == ()


def test_an_outcome_takes_the_place_of_the_start(journal):
    journal.begin("splat", PLAN)
    journal.record("splat", STARTED)
    assert journal.record("splat", OK) == (PASSED, OK) == journal.attempts("splat")


def test_a_stage_that_begins_again_forgets_what_was(journal):
    journal.begin("splat", PLAN)
    journal.record("splat", OK)
    journal.begin("splat", Plan(rungs=("light",), skipped=()))
    assert journal.plan("splat") == Plan(rungs=("light",), skipped=())
    assert journal.attempts("splat") == ()


def test_cancelled_and_finished_are_seen_by_every_reader(journal, tmp_path):
    journal.cancel()
    journal.finish({"status": "ok"})
    other = FolderJournal(tmp_path / "run")
    assert other.is_cancelled()
    assert other.finished() == {"status": "ok"}


def test_the_first_note_of_what_is_read_counts_until_the_run_makes_its_own(journal, tmp_path):
    assert journal.use("poses", "a" * 32) == "a" * 32
    assert FolderJournal(tmp_path / "run").use("poses", "b" * 32) == "a" * 32
    assert journal.used("mesh") is None
    journal.made("poses", "c" * 32)
    journal.use("poses", "b" * 32)
    assert FolderJournal(tmp_path / "run").used("poses") == "c" * 32


def test_what_a_run_reads_outlives_a_stage_that_begins_again(journal):
    journal.use("splat", "a" * 32)
    journal.begin("splat", PLAN)
    assert journal.used("splat") == "a" * 32


def test_only_a_start_without_an_end_is_a_lost_attempt(journal):
    journal.begin("splat", PLAN)
    note_lost_attempt(journal, "splat")
    assert journal.attempts("splat") == (PASSED,)
    journal.record("splat", STARTED)
    note_lost_attempt(journal, "splat")
    assert [attempt.outcome for attempt in journal.attempts("splat")] == ["skipped", "crashed"]


def test_its_files_lie_where_they_always_lay(tmp_path):
    home = make_home(tmp_path / "home")
    journal = run_journal(home, "one")
    journal.begin("splat", PLAN)
    journal.cancel()
    journal.use("poses", "a" * 32)
    journal.finish({})
    names = {path.relative_to(home.work).as_posix() for path in home.work.rglob("*") if path.is_file()}
    files = {"cancelled", "finished.json", "versions/poses", "splat/plan.json", "splat/attempts.json"}
    assert names == {f"one/{name}" for name in files}


def test_a_running_stage_tells_how_far_it_is_and_how_long_still(journal, tmp_path):
    journal.begin("splat", PLAN)
    journal.record("splat", STARTED)
    progress = tmp_path / "run" / "splat" / "output" / "progress.jsonl"
    progress.parent.mkdir()
    progress.write_text('{"fraction": 0.1}\n{"fraction": 0.25, "message": "step 9"}\n{"fraction": 0.')
    state = stage_state(journal, "splat", now=journal.started_at("splat") + 10)
    assert progress_line(state) == "splat: cpu at 25% after 10 s, about 30 s left: step 9"


def test_a_clock_that_is_set_back_makes_no_time_negative(journal, tmp_path):
    journal.begin("splat", PLAN)
    journal.record("splat", STARTED)
    progress = tmp_path / "run" / "splat" / "output" / "progress.jsonl"
    progress.parent.mkdir()
    progress.write_text('{"fraction": 0.5}\n')
    state = stage_state(journal, "splat", now=journal.started_at("splat") - 86_400)
    assert (state.state, state.seconds, state.remaining_s) == ("running", 0.0, 0.0)


def test_time_that_passes_with_compiling_makes_no_stage_look_slow(journal, tmp_path):
    journal.begin("splat", PLAN)
    journal.record("splat", STARTED)
    start = journal.started_at("splat")
    progress = tmp_path / "run" / "splat" / "output" / "progress.jsonl"
    progress.parent.mkdir()
    lines = [
        {"time": start + 1, "fraction": 0.0, "compiling": True},
        {"time": start + 91, "fraction": 0.0},
        {"time": start + 100, "fraction": 0.5},
    ]
    progress.write_text("".join(json.dumps(line) + "\n" for line in lines))
    state = stage_state(journal, "splat", now=start + 100)
    assert (state.seconds, state.compiling_s, state.worked_s) == pytest.approx((100, 90, 10))
    assert state.remaining_s == pytest.approx(10)
    progress.write_text(json.dumps(lines[0]) + "\n")
    assert stage_state(journal, "splat", now=start + 31).worked_s == pytest.approx(1)


def test_a_stage_that_ended_tells_the_time_of_all_attempts(journal):
    journal.begin("splat", PLAN)
    journal.record("splat", Attempt(backend="cpu", outcome="failed", reason="No.", seconds=2.0))
    assert stage_state(journal, "splat").state == "failed"
    journal.record("splat", Attempt(backend="light", outcome="ok", seconds=1.0))
    state = stage_state(journal, "splat")
    assert (state.state, state.backend, state.seconds) == ("done", "light", 3.0)


READER = """
import json, pathlib, sys
path, reads = pathlib.Path(sys.argv[1]), 0
print("ready", flush=True)
while True:
    attempts = json.loads(path.read_bytes())
    reads += 1
    if attempts[-1]["outcome"] == "ok":
        break
print(reads)
"""


def test_another_process_never_reads_half_a_write(journal, tmp_path):
    journal.begin("splat", PLAN)
    journal.record("splat", Attempt(backend="cpu", outcome="clamped", reason="x" * 100_000))
    path = tmp_path / "run" / "splat" / "attempts.json"
    with subprocess.Popen(
        [sys.executable, "-c", READER, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for _ in range(200):
            journal.record("splat", STARTED)
        journal.record("splat", OK)
        told, error = reader.communicate(timeout=60)
    assert reader.returncode == 0, error
    assert int(told) > 1
    assert json.loads(path.read_bytes())[-1]["outcome"] == "ok"
