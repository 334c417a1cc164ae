"""The ladder without Dagster and without processes: which attempt runs what, and what is noted of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.execution.ladder import Inputs, make_bundle
from ds3d_pipeline.execution.state import Cancelled, LadderExhausted, RungFailed
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline_tests.execution.ladders import RUNGS, STAGE, Body, Ladder, fails, half_done, works
from ds3d_pipeline_tests.homes import make_home

REFUSES = fails("failed", "Only 2 of 9 pixels match. Film more slowly.")
CRASHES = fails("crashed", "The program crashed with SIGSEGV.")


@pytest.fixture(autouse=True)
def no_engine(tmp_path, monkeypatch):
    """The stage has rungs in containers, and looking for orphaned ones would take time."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/gone.sock")


@pytest.fixture
def ladder_of(tmp_path):
    def make(*bodies, **settings) -> Ladder:
        rungs = RUNGS[: len(bodies)]
        bodies_by_rung: dict[str, Body] = dict(zip(rungs, bodies, strict=True))
        return Ladder(home=make_home(tmp_path / "home"), bodies=bodies_by_rung, rungs=rungs, **settings)

    return make


def test_attempt_n_is_rung_n_and_what_each_did_is_noted(ladder_of):
    ladder = ladder_of(REFUSES, CRASHES, works)
    with pytest.raises(RungFailed, match="depth_maps: patchmatch failed: Only 2 of 9"):
        ladder.run_ladder(0)
    with pytest.raises(RungFailed, match="depth_maps: interpolation crashed"):
        ladder.run_ladder(1)
    made = ladder.run_ladder(2)
    assert (made.rung, made.run.result, made.faults) == ("card", {"by": "card"}, ())
    assert ladder.outcomes() == [("patchmatch", "failed"), ("interpolation", "crashed"), ("card", "ok")]
    assert made.attempts == ladder.journal.attempts(STAGE)
    assert [attempt.seconds for attempt in made.attempts] == [2.0, 2.0, 1.0]


def test_an_attempt_means_the_same_rung_whatever_has_changed_since(ladder_of):
    ladder = ladder_of(REFUSES, works)
    with pytest.raises(RungFailed):
        ladder.run_ladder(0)
    ladder.rungs = ("card", "patchmatch", "interpolation")
    assert ladder.run_ladder(1).rung == "interpolation"


def test_a_first_attempt_plans_anew(ladder_of):
    ladder = ladder_of(REFUSES, works)
    with pytest.raises(RungFailed):
        ladder.run_ladder(0)
    ladder.rungs = ("interpolation",)
    assert ladder.run_ladder(0).rung == "interpolation"
    assert ladder.outcomes() == [("interpolation", "ok")]


def test_what_was_skipped_is_noted_first(ladder_of):
    passed = Attempt(backend="monocular", outcome="skipped", reason="There is no model.")
    ladder = ladder_of(works, skipped=(passed,))
    assert ladder.run_ladder(0).attempts[0] == passed


def test_no_rung_at_all_is_told_with_the_reasons(ladder_of):
    passed = Attempt(backend="monocular", outcome="skipped", reason="There is no model.")
    with pytest.raises(LadderExhausted, match=r"monocular skipped: There is no model\.") as caught:
        ladder_of(skipped=(passed,)).run_ladder(0)
    assert caught.value.attempts == (passed,)


def test_the_last_failure_tells_all_attempts_and_the_end_of_the_log(ladder_of):
    ladder = ladder_of(REFUSES, CRASHES)
    with pytest.raises(RungFailed):
        ladder.run_ladder(0)
    with pytest.raises(
        LadderExhausted, match=r"All backends of depth_maps failed.*2 of 9.*SIGSEGV"
    ) as caught:
        ladder.run_ladder(1)
    assert caught.value.attempts == ladder.journal.attempts(STAGE)
    assert caught.value.log_tail == "log: The program crashed with SIGSEGV."


def test_unusable_input_ends_the_ladder_at_once(ladder_of):
    ladder = ladder_of(fails("input", "a.jpg is text. Give photos."), works)
    with pytest.raises(LadderExhausted, match=r"a\.jpg is text"):
        ladder.run_ladder(0)
    assert ladder.outcomes() == [("patchmatch", "input")]


def test_a_backend_that_is_not_there_ends_the_ladder_before_it_starts(ladder_of):
    ladder = ladder_of(works)

    def find_plan(stage, options, prefer):
        raise ValueError("depth_maps has no backend 'magic'")

    ladder.find_plan = find_plan
    with pytest.raises(LadderExhausted, match="no backend 'magic'"):
        ladder.run_ladder(0)
    assert ladder.program.ran == []


def test_a_killed_attempt_is_noted_as_crashed(ladder_of):
    def is_killed(output, tick):
        raise SystemExit(9)

    ladder = ladder_of(is_killed, works)
    with pytest.raises(SystemExit):
        ladder.run_ladder(0)
    assert ladder.outcomes() == [("patchmatch", "started")]
    ladder.run_ladder(1)
    assert ladder.outcomes() == [("patchmatch", "crashed"), ("interpolation", "ok")]
    assert ladder.journal.attempts(STAGE)[0].reason == "The step's own process was killed."


def test_a_cancelled_run_stops_before_the_next_rung(ladder_of):
    ladder = ladder_of(REFUSES, works)
    with pytest.raises(RungFailed):
        ladder.run_ladder(0)
    ladder.journal.cancel()
    with pytest.raises(Cancelled):
        ladder.run_ladder(1)
    assert ladder.program.ran == ["patchmatch"]
    assert ladder.outcomes() == [("patchmatch", "failed")]


def test_a_cancelled_run_stops_its_running_program(ladder_of):
    def is_cancelled_in_the_middle(output, tick):
        ladder.journal.cancel()
        tick()
        works(output, tick)

    ladder = ladder_of(is_cancelled_in_the_middle, works)
    with pytest.raises(Cancelled):
        ladder.run_ladder(0)
    assert ladder.outcomes() == [("patchmatch", "started")]


def test_files_with_faults_make_the_next_rung_run(ladder_of):
    ladder = ladder_of(half_done, works)
    with pytest.raises(RungFailed, match=r"b\.jpg\.bin is not a dense COLMAP map"):
        ladder.run_ladder(0)
    made = ladder.run_ladder(1)
    assert made.faults == ()
    assert not (made.output / "depth" / "b.jpg.bin").exists()
    assert ladder.outcomes() == [("patchmatch", "failed"), ("interpolation", "ok")]


def test_the_last_rung_keeps_its_faulty_files(ladder_of):
    ladder = ladder_of(REFUSES, half_done)
    with pytest.raises(RungFailed):
        ladder.run_ladder(0)
    made = ladder.run_ladder(1)
    assert "b.jpg.bin is not a dense COLMAP map" in made.faults[0]
    assert (made.output / "depth" / "b.jpg.bin").exists()
    assert ladder.outcomes()[-1] == ("interpolation", "failed")


@pytest.fixture
def photo(tmp_path) -> Inputs:
    """One photo of 0.75 megapixels, of which stereo needs about 0.7 GB at 768 pixels."""
    Image.new("RGB", (1000, 750)).save(tmp_path / "a.png")
    return Inputs(files={"images/a.png": tmp_path / "a.png"})


def test_a_size_made_smaller_for_memory_is_noted_and_given_to_the_program(ladder_of, monkeypatch, photo):
    monkeypatch.setenv("DS3D_MEMORY_MB", "600")
    ladder = ladder_of(works, options=DepthOptions(max_side_px=768))
    made = ladder.run_ladder(0, photo)
    assert ladder.outcomes() == [("patchmatch", "clamped"), ("patchmatch", "ok")]
    options_file = Path(ladder.program.argv[ladder.program.argv.index("--options") + 1])
    side = json.loads(options_file.read_text())["max_side_px"]
    assert side < 768
    assert f"max_side_px is {side} instead of 768" in made.attempts[0].reason


def test_what_cannot_fit_into_memory_is_not_started(ladder_of, monkeypatch, photo):
    monkeypatch.setenv("DS3D_MEMORY_MB", "200")
    ladder = ladder_of(works, works)
    with pytest.raises(RungFailed, match=r"about 0\.\d GB needed, 0\.2 GB free"):
        ladder.run_ladder(0, photo)
    assert ladder.program.ran == []
    assert ladder.run_ladder(1, photo).rung == "interpolation"


def test_a_program_finds_its_inputs_and_they_are_not_kept(ladder_of, tmp_path):
    (tmp_path / "given.txt").write_text("given")

    def reads(output, tick):
        folder = output.parent / "input"
        assert (folder / "named.txt").read_text() == "given"
        (output / "result.json").write_text("{}")
        works(output, tick)

    ladder = ladder_of(reads)
    made = ladder.run_ladder(0, Inputs(files={"named.txt": tmp_path / "given.txt"}))
    assert not (made.output.parent / "input").exists()
    assert [path.name for path in made.output.iterdir()] == ["depth"]


def test_a_bundle_tells_how_it_came_about(ladder_of, tmp_path):
    (tmp_path / "given.txt").write_text("given")
    inputs = Inputs(files={"given.txt": tmp_path / "given.txt"})
    ladder = ladder_of(works)
    state = ladder.state(0)
    ladder.journal.begin(STAGE, ladder.find_plan(STAGE, state.options, None))
    bundle = make_bundle(state, inputs, ladder.runners, ladder.find_plan)
    report = bundle.report
    assert (report.stage, report.backend, report.peak_memory_mb) == (STAGE, "patchmatch", 5.0)
    assert report.result == {"by": "patchmatch"}
    (tmp_path / "given.txt").write_text("another")
    again = make_bundle(ladder.state(0), inputs, ladder.runners, ladder.find_plan)
    assert again.data_version == bundle.data_version
    assert again.report.fingerprint != report.fingerprint


def test_ladder_and_containers_import_no_dagster():
    code = (
        "import pkgutil, importlib, sys\n"
        "import ds3d_pipeline.execution as e, ds3d_pipeline.containers as c\n"
        "[importlib.import_module(m.name) for p in (e, c)"
        " for m in pkgutil.iter_modules(p.__path__, p.__name__ + '.')]\n"
        "assert 'ds3d_pipeline.execution.ladder' in sys.modules\n"
        "sys.exit('dagster' in sys.modules or 'ds3d_pipeline.defs' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
