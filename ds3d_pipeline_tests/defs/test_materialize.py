"""Retries as rungs: what is tried, what is told, and what an interrupt does."""

import re
import subprocess
import sys

import dagster as dg
import pytest
from upath import UPath

from ds3d_pipeline.execution import progress
from ds3d_pipeline.publishing.reasons import find_reasons
from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline.storage.bundles import fetch
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.captures import environment
from ds3d_pipeline_tests.defs.laddered import MEMORY_MB, make_defs

CAPTURE = "test-00000000"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(STAGE_CARDS, "depth_maps", STAGE_CARDS["depth_maps"])
    return prepare_home()


def run_ladder(*names: str, config: dict | None = None):
    job = make_defs(*names).resolve_job_def("run_ladder")
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
        return job.execute_in_process(
            instance=instance,
            partition_key=CAPTURE,
            raise_on_error=False,
            run_config={"ops": {"depth_maps": {"config": config or {}}}},
        )


def published(home):
    return fetch(UPath(home.storage) / "depth_maps" / CAPTURE, home.root / "cache")


def outcomes(home):
    return [(attempt.backend, attempt.outcome) for attempt in published(home).report.attempts]


def failure_text(result) -> str:
    event = next(event for event in result.all_events if event.is_step_failure)
    error = event.step_failure_data.error
    return "\n".join(filter(None, (error.message, error.cause.message if error.cause else "")))


def test_a_rung_that_fails_hands_over_and_leaves_nothing(own_home):
    result = run_ladder("refuses", "works")
    assert result.success
    assert outcomes(own_home) == [("refuses", "failed"), ("works", "ok")]
    bundle = published(own_home)
    assert bundle.report.attempts[0].reason == "Only 2 of 9 pixels match. Film more slowly."
    assert (bundle.folder / "made.txt").exists()
    assert not (bundle.folder / "half.txt").exists()
    retried = [event for event in result.all_events if event.is_step_up_for_retry]
    assert "Only 2 of 9 pixels match" in retried[0].event_specific_data.error.cause.message


def test_crashes_of_two_kinds_are_survived_and_named(own_home):
    assert run_ladder("segfaults", "out_of_memory", "works").success
    assert outcomes(own_home) == [("segfaults", "crashed"), ("out_of_memory", "crashed"), ("works", "ok")]
    reasons = [attempt.reason for attempt in published(own_home).report.attempts]
    assert "SIGSEGV" in reasons[0]
    assert "memory ran out" in reasons[1]


def test_unsound_files_are_a_failed_rung(own_home):
    result = run_ladder("half_done", "works")
    assert result.success
    assert outcomes(own_home) == [("half_done", "failed"), ("works", "ok")]
    assert "b.jpg.bin is not a dense COLMAP map" in published(own_home).report.attempts[0].reason
    assert not (published(own_home).folder / "depth" / "b.jpg.bin").exists()


def test_unsound_files_of_the_last_rung_stay_to_look_at_and_fail_the_check(own_home):
    result = run_ladder("refuses", "half_done")
    assert not result.success
    assert outcomes(own_home) == [("refuses", "failed"), ("half_done", "failed")]
    (valid,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "valid_files"]
    assert (valid.passed, valid.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "b.jpg.bin is not a dense COLMAP map" in valid.description


def test_the_files_are_linked_where_they_stand(own_home):
    (made,) = run_ladder("works").asset_materializations_for_node("depth_maps")
    for name in ("path", "made.txt"):
        assert UPath(made.metadata[name].path).exists()


def test_when_no_rung_is_left_all_are_told(own_home):
    result = run_ladder("refuses", "segfaults")
    assert not result.success
    text = failure_text(result)
    assert "Only 2 of 9" in text
    assert "SIGSEGV" in text


def test_a_failure_shows_its_attempts_as_a_table_and_the_end_of_the_log(own_home):
    (failed,) = [event for event in run_ladder("refuses").all_events if event.is_step_failure]
    shown = failed.step_failure_data.user_failure_data.metadata
    assert [row.data["backend"] for row in shown["attempts"].records] == ["refuses"]
    assert "Only 2 of 9 pixels match" in shown["log"].value


def test_unusable_input_is_not_tried_again(own_home):
    result = run_ladder("unusable", "works")
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    assert "a.jpg is text" in failure_text(result)


def test_an_interrupt_does_not_run_the_next_rung(own_home):
    result = run_ladder("interrupted", "works")
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    assert "cancelled" in failure_text(result)
    assert not (UPath(own_home.storage) / "depth_maps" / CAPTURE).exists()


def test_a_size_that_does_not_fit_into_memory_is_clamped_and_told(own_home, monkeypatch):
    monkeypatch.setenv("DS3D_MEMORY_MB", "600")
    monkeypatch.setitem(MEMORY_MB, "works", lambda load, options: float(options.max_side_px))
    assert run_ladder("works").success
    assert outcomes(own_home) == [("works", "clamped"), ("works", "ok")]
    report = published(own_home).report
    assert f"max_side_px is {report.result['side']} instead of 768" in report.attempts[0].reason
    assert "about 0.9 GB needed, 0.6 GB free" in report.attempts[0].reason
    assert report.result["side"] < 600
    assert report.attempts[0].reason in find_reasons((), {"depth_maps": report})


def test_what_cannot_fit_into_memory_is_not_started_and_the_next_rung_is(own_home, monkeypatch):
    monkeypatch.setenv("DS3D_MEMORY_MB", "600")
    monkeypatch.setitem(MEMORY_MB, "refuses", lambda load, options: 9000.0)
    assert run_ladder("refuses", "works").success
    assert outcomes(own_home) == [("refuses", "failed"), ("works", "ok")]
    assert "about 10.3 GB needed" in published(own_home).report.attempts[0].reason
    assert not list(own_home.logs.glob("*/*refuses*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rung", "line"),
    [
        ("stalls", r"depth_maps: stalls at 25% after \d+ s, about \d+ s left: thinking"),
        ("says_nothing", r"depth_maps: says_nothing at 0% after \d+ s"),
    ],
)
def test_a_line_comes_in_time_though_the_program_has_nothing_new_to_say(monkeypatch, rung, line):
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0.5)
    result = run_ladder(rung)
    with dg.DagsterInstance.get() as instance:
        entries = instance.all_logs(result.run_id)
    lines = [entry.user_message for entry in entries if re.fullmatch(line, entry.user_message)]
    assert len(lines) >= 3


def test_the_preferred_rung_comes_first(own_home):
    assert run_ladder("refuses", "works", config={"prefer": "works"}).success
    assert outcomes(own_home) == [("works", "ok")]


def test_a_backend_that_is_not_there_is_said_so(own_home):
    result = run_ladder("refuses", "works", config={"prefer": "magic"})
    assert "no backend 'magic'" in failure_text(result)


@pytest.mark.slow
def test_a_killed_step_process_is_a_lost_rung(own_home, tmp_path):
    """The multiprocess executor retries a step whose process was killed: the next rung runs."""
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
    command = [sys.executable, "-m", "dagster", "job", "execute", "-j", "run_ladder"]
    command += ["-m", "ds3d_pipeline_tests.defs.laddered", "-a", "from_environment"]
    command += ["--tags", f'{{"dagster/partition": "{CAPTURE}"}}']
    env = environment(own_home.root) | {"DS3D_TEST_LADDER": "kills_its_step,works"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert outcomes(own_home) == [("kills_its_step", "crashed"), ("works", "ok")]
