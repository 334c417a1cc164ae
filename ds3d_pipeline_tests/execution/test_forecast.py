"""What this machine's own past says about how long a capture takes."""

import json
import statistics

import pytest

from ds3d_pipeline.execution.costs import MADE, Workload, time_passed, usual_seconds
from ds3d_pipeline.execution.forecast import (
    BETWEEN_S,
    LEARNED_FROM,
    PUBLISHING_S,
    expected_seconds,
    forecast,
    mode_seconds,
    run_state,
)
from ds3d_pipeline.execution.history import Timing, read_timings, timing_of, workload_of
from ds3d_pipeline.execution.progress import Report, StageState
from ds3d_pipeline.names import MODES
from ds3d_pipeline.programs.options import options_with
from ds3d_pipeline.stages.modes import MODES as MODE_OPTIONS
from ds3d_pipeline_tests.homes import make_home, put_bundle

SIZE_WH = (640, 480)
SECONDS = dict(zip(MADE, (1.0, 2.0, 40.0, 120.0, 12.0, 40.0, 180.0), strict=True))


def timing(mode: str = "balanced", photos: int = 32, factor: float = 1.0) -> Timing:
    seconds = {stage: factor * seconds for stage, seconds in SECONDS.items()}
    return Timing(mode=mode, photos=photos, size_wh=SIZE_WH, frames=0, seconds=seconds, steps=2000)


def workload(mode: str = "balanced", photos: int = 32, cores: int = 2, **changes: object) -> Workload:
    options = vars(MODE_OPTIONS[mode])
    return Workload(**({"photos": photos, "size_wh": SIZE_WH, "options": options, "cores": cores} | changes))


def metrics(**changes: object) -> dict[str, object]:
    stages = {stage: {"backend": "local", "seconds": seconds} for stage, seconds in SECONDS.items()}
    record = {"status": "ok", "mode": "balanced", "reasons": [], "stages": stages, "keyframes": [{}] * 32}
    sent = {"kind": "photos", "sha256": "0", "frames": 32, "size": list(SIZE_WH)}
    return record | {"input": sent, "splat": {"iterations": 2000}} | changes


def states(**begun: tuple[str, float, float]) -> list[StageState]:
    """State, fraction and seconds of the stages named; the others wait."""
    found = {stage: begun.get(stage, ("waiting", 0.0, 0.0)) for stage in MADE}
    return [
        StageState(stage=stage, state=state, fraction=fraction, seconds=seconds)
        for stage, (state, fraction, seconds) in found.items()
    ]


def test_a_finished_capture_tells_how_long_its_stages_took():
    assert timing_of(metrics()) == timing()


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "failed"},
        {"mode": "best"},
        {"keyframes": []},
        {"keyframes": 3},
        {"stages": {}},
        {"stages": []},
        {"input": None},
    ],
)
def test_what_failed_or_is_not_ours_tells_nothing(changes):
    assert timing_of(metrics(**changes)) is None


def test_a_stage_that_no_backend_made_tells_nothing():
    facts = metrics()["stages"] | {"splat": {"backend": None, "seconds": 4.0}}
    found = timing_of(metrics(stages=facts))
    assert found is not None
    assert "splat" not in found.seconds


def test_finished_captures_of_the_home_are_read_and_damaged_ones_left_out(tmp_path):
    home = make_home(tmp_path)
    put_bundle(home, "metrics", "good", json.dumps(metrics()))
    put_bundle(home, "metrics", "bad", "[1]")
    assert read_timings(home) == [timing()]
    assert read_timings(make_home(tmp_path / "empty")) == []


def test_what_another_version_wrote_is_left_out(tmp_path):
    home = make_home(tmp_path)
    put_bundle(home, "metrics", "old", json.dumps(metrics(input={"kind": "photos"})))
    assert read_timings(home) == []


def test_compiling_and_backends_that_failed_are_no_part_of_a_stages_time():
    facts = metrics()["stages"] | {
        "depth_maps": {
            "backend": "patchmatch",
            "attempts": [{"seconds": 500.0}, {"seconds": 150.0}],
            "seconds": 650.0,
            "compile_seconds": 30.0,
        }
    }
    found = timing_of(metrics(stages=facts))
    assert found is not None
    assert found.seconds["depth_maps"] == pytest.approx(120.0)


def test_what_was_the_case_is_expected_again():
    assert expected_seconds("balanced", workload(), [timing()]) | {"splat": 0.0} == pytest.approx(
        SECONDS | {"splat": 0.0}
    )


def test_more_photos_take_longer_and_more_cores_shorter():
    few, many, quick = (usual_seconds(work) for work in (workload(), workload(photos=64), workload(cores=16)))
    for stage in ("poses", "depth_maps", "pointcloud"):
        assert many[stage] > 1.5 * few[stage]
        assert quick[stage] < 0.5 * few[stage]
    assert many["splat"] == few["splat"]


def test_training_is_never_expected_to_take_longer_than_its_cap():
    options = MODE_OPTIONS["quality"]
    work = workload("quality", options=vars(options), cores=1, size_wh=(6000, 4000))
    for history in ([], [timing("quality", factor=1000.0)]):
        assert expected_seconds("quality", work, history)["splat"] <= options.splat.max_seconds + 10


def test_only_the_latest_captures_count():
    history = [timing()] * LEARNED_FROM + [timing(factor=10.0)] * 100
    assert expected_seconds("balanced", workload(), history)["poses"] == pytest.approx(SECONDS["poses"])


def test_a_mode_that_never_ran_is_as_slow_as_the_others_were():
    work = workload("fastest")
    fast, slow = (expected_seconds("fastest", work, [timing(factor=factor)]) for factor in (1.0, 3.0))
    assert slow == pytest.approx({stage: 3 * seconds for stage, seconds in fast.items()})


def test_before_its_keyframes_are_chosen_the_photos_that_were_sent_count(tmp_path):
    home = make_home(tmp_path)
    work = workload_of(home, "new", "balanced", vars(MODE_OPTIONS["balanced"]), has_keyframes=False)
    chosen = {"kept": 9, "considered": 9, "dropped": {}, "median_sharpness": 0.1, "size": [320, 240]}
    put_bundle(home, "keyframes", "new", "k", result=chosen | {"cameras": 1})
    known = workload_of(home, "new", "balanced", vars(MODE_OPTIONS["balanced"]), has_keyframes=True)
    assert (known.photos, known.size_wh) == (9, (320, 240))
    assert work.photos > known.photos


def test_without_any_past_every_mode_has_a_time_and_a_better_one_takes_longer():
    found = mode_seconds([])
    assert list(found) == list(MODES)
    assert list(found.values()) == sorted(found.values())


def test_the_bar_goes_by_time_and_not_by_the_number_of_stages():
    found = forecast(states(capture=("done", 0, 1), keyframes=("done", 0, 2)), SECONDS)
    assert found.fraction == pytest.approx(3 / sum(SECONDS.values()))


def test_what_is_reused_weighs_nothing():
    reused = {stage: ("reused", 0.0, 0.0) for stage in MADE if stage != "splat"}
    found = forecast(states(**reused, splat=("running", 0.5, 90.0)), SECONDS)
    assert found.fraction == pytest.approx(0.5, abs=0.01)
    assert found.remaining_s == pytest.approx(90.0, abs=10.0)


def test_a_run_with_everything_reused_is_at_its_end():
    assert forecast(states(**{stage: ("reused", 0.0, 0.0) for stage in MADE}), SECONDS).fraction == 1.0


def test_a_slow_start_makes_the_rest_longer():
    usual = forecast(states(poses=("done", 0, 40), capture=("done", 0, 1), keyframes=("done", 0, 2)), SECONDS)
    slow = forecast(states(poses=("done", 0, 120), capture=("done", 0, 3), keyframes=("done", 0, 6)), SECONDS)
    assert slow.remaining_s > 1.5 * usual.remaining_s


def test_a_program_that_says_nothing_for_long_is_not_slow_for_that():
    heard = {"first": Report(fraction=0.0, worked_s=2.0), "latest": Report(fraction=0.5, worked_s=48.0)}
    waiting = [StageState(stage=stage, state="waiting") for stage in MADE[4:]]
    early, later = (
        run_state(
            [
                StageState(stage="depth_maps", state="running", fraction=0.5, seconds=seconds, **heard),
                *waiting,
            ],
            SECONDS,
        )
        .stages[0]
        .remaining_s
        for seconds in (48.0, 68.0)
    )
    assert early is not None
    assert later is not None
    assert early - 30 < later < early - 10


def test_the_last_backend_of_a_ladder_is_quick_whatever_the_first_would_take():
    light = StageState(stage="splat", state="running", backend="light", seconds=1.0)
    assert (run_state([light], SECONDS).stages[0].remaining_s or 99) < 6


def test_a_stage_that_overruns_is_not_about_to_end():
    early = {"capture": ("done", 0.0, 1.0), "keyframes": ("done", 0.0, 2.0), "poses": ("done", 0.0, 40.0)}
    found = forecast(states(**early, depth_maps=("running", 0.0, 1000.0)), SECONDS)
    to_come = sum(SECONDS[stage] for stage in ("pointcloud", "mesh", "splat"))
    assert found.remaining_s >= to_come + 100


def test_compiling_is_no_measure_of_speed():
    poses = StageState(stage="poses", state="done", seconds=40.0)
    compiling = StageState(
        stage="depth_maps",
        state="running",
        fraction=0.5,
        seconds=150.0,
        compiling_s=100.0,
        first=Report(fraction=0.0, worked_s=4.4),
        latest=Report(fraction=0.5, worked_s=50.0),
    )
    waiting = [StageState(stage=stage, state="waiting") for stage in MADE[4:]]
    found = run_state([poses, compiling, *waiting], SECONDS)
    assert found.stages[1].remaining_s == pytest.approx(72.0, rel=0.1)


SIZES = {"fountain": (3072, 2048), "fox": (540, 960), "small": (320, 240), "loaded": (320, 240)}
RECORDED = {
    "fountain": ("balanced", 11, (1.0, 4.3, 19.6, 123.4, 9.4, 52.1, 191.1)),
    "fox": ("balanced", 49, (3.0, 16.1, 113.5, 632.3, 110.6, 142.4, 173.2)),
    "demo": ("balanced", 32, (0.5, 1.3, 72.0, 622.7, 18.8, 116.5, 246.1)),
    "small": ("fastest", 8, (0.4, 0.8, 2.9, 15.1, 3.1, 7.7, 2.3)),
    "loaded": ("fastest", 8, (0.5, 0.8, 3.8, 41.8, 2.8, 11.1, 3.0)),
    "short demo": ("fastest", 12, (0.4, 0.9, 8.6, 20.8, 3.6, 8.4, 2.0)),
}
"""Seconds a stage, as `metrics.json` of real runs has them, on one machine under changing load."""


def recorded(name: str) -> Timing:
    mode, photos, seconds = RECORDED[name]
    return Timing(
        mode=mode,
        photos=photos,
        size_wh=SIZES.get(name, SIZE_WH),
        frames=0,
        seconds=dict(zip(MADE, seconds, strict=True)),
        steps=2000 if mode == "balanced" else None,
    )


NONE = Report(fraction=0.0, worked_s=0.0)


def reported(stage: str, passed: float) -> float:
    """What the program of a stage says it has done when this part of its time has passed."""
    steps = [number / 1000 for number in range(1001)]
    return next((step for step in steps if time_passed(stage, step) >= passed), 1.0)


def states_at(timing: Timing, now_s: float) -> list[StageState]:
    """What the stages would have shown, each going on evenly, one `BETWEEN_S` after the other."""
    found, begin = [], 0.0
    for stage, seconds in timing.seconds.items():
        spent = min(max(now_s - begin, 0.0), seconds)
        state = "done" if spent == seconds else "running" if spent else "waiting"
        fraction = reported(stage, spent / seconds)
        latest = Report(fraction=fraction, worked_s=spent)
        found.append(
            StageState(stage=stage, state=state, fraction=fraction, seconds=spent, first=NONE, latest=latest)
        )
        begin += seconds + BETWEEN_S
    return found


@pytest.mark.parametrize("name", RECORDED)
def test_the_time_left_is_right_within_a_quarter_after_the_first_tenth(name):
    truth, past = recorded(name), [recorded(other) for other in RECORDED if other != name]
    mode = MODE_OPTIONS[truth.mode]
    options = vars(mode) | {"splat": options_with(mode.splat, {"iterations": 2000}, "splat")}
    known = workload(truth.mode, photos=truth.photos, size_wh=truth.size_wh, options=options)
    expected = expected_seconds(truth.mode, known, past)
    whole_s = sum(truth.seconds.values()) + BETWEEN_S * (len(MADE) - 1) + PUBLISHING_S
    errors = []
    for percent in range(10, 99):
        left_s = whole_s * (1 - percent / 100)
        shown_s = forecast(states_at(truth, whole_s - left_s), expected).remaining_s
        errors.append(abs(shown_s - left_s) / left_s)
    assert statistics.median(errors) < 0.25
