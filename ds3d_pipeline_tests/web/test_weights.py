"""What this machine's own past says about how long a capture takes."""

import json
import statistics

import pytest

from ds3d_pipeline.execution.progress import StageState
from ds3d_pipeline.names import MODES
from ds3d_pipeline.web.weights import (
    BETWEEN_S,
    LEARNED_FROM,
    MADE,
    PUBLISHING_S,
    Timing,
    expected_seconds,
    forecast,
    mode_seconds,
    read_timings,
    timing_of,
)
from ds3d_pipeline_tests.homes import make_home, put_bundle

SECONDS = dict(zip(MADE, (1.0, 2.0, 40.0, 120.0, 12.0, 40.0, 180.0), strict=True))


def timing(mode: str = "balanced", keyframes: int = 32, factor: float = 1.0) -> Timing:
    seconds = {stage: factor * seconds for stage, seconds in SECONDS.items()}
    return Timing(mode=mode, keyframes=keyframes, seconds=seconds)


def metrics(**changes: object) -> dict[str, object]:
    stages = {stage: {"backend": "local", "seconds": seconds} for stage, seconds in SECONDS.items()}
    record = {"status": "ok", "mode": "balanced", "reasons": [], "stages": stages, "keyframes": [{}] * 32}
    return record | changes


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


def test_more_keyframes_take_longer_where_the_work_grows_with_them():
    found = expected_seconds("balanced", 64, [timing()])
    assert found["depth_maps"] == pytest.approx(240.0)
    assert found["splat"] == pytest.approx(180.0)


def test_only_the_latest_captures_count():
    history = [timing()] * LEARNED_FROM + [timing(factor=10.0)] * 100
    assert expected_seconds("balanced", 32, history) == pytest.approx(SECONDS)


def test_a_mode_that_never_ran_is_as_slow_as_the_others_were():
    fast, slow = (expected_seconds("quality", 40, [timing(factor=factor)]) for factor in (1.0, 3.0))
    assert slow == pytest.approx({stage: 3 * seconds for stage, seconds in fast.items()})


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
    assert found.fraction == pytest.approx(0.5)
    assert found.remaining_s == pytest.approx(90.0, abs=10.0)


def test_a_run_with_everything_reused_is_at_its_end():
    assert forecast(states(**{stage: ("reused", 0.0, 0.0) for stage in MADE}), SECONDS).fraction == 1.0


def test_a_slow_start_makes_the_rest_longer():
    usual = forecast(states(poses=("done", 0, 40), capture=("done", 0, 1), keyframes=("done", 0, 2)), SECONDS)
    slow = forecast(states(poses=("done", 0, 120), capture=("done", 0, 3), keyframes=("done", 0, 6)), SECONDS)
    assert slow.remaining_s > 1.5 * usual.remaining_s


def test_a_stage_that_overruns_is_not_about_to_end():
    early = {"capture": ("done", 0.0, 1.0), "keyframes": ("done", 0.0, 2.0), "poses": ("done", 0.0, 40.0)}
    found = forecast(states(**early, depth_maps=("running", 0.0, 1000.0)), SECONDS)
    to_come = sum(SECONDS[stage] for stage in ("pointcloud", "mesh", "splat"))
    assert found.remaining_s >= to_come + 100


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
    mode, keyframes, seconds = RECORDED[name]
    return Timing(mode=mode, keyframes=keyframes, seconds=dict(zip(MADE, seconds, strict=True)))


def states_at(timing: Timing, now_s: float) -> list[StageState]:
    """What the stages would have shown, each going on evenly, one `BETWEEN_S` after the other."""
    found, begin = [], 0.0
    for stage, seconds in timing.seconds.items():
        spent = min(max(now_s - begin, 0.0), seconds)
        state = "done" if spent == seconds else "running" if spent else "waiting"
        found.append(StageState(stage=stage, state=state, fraction=spent / seconds, seconds=spent))
        begin += seconds + BETWEEN_S
    return found


@pytest.mark.parametrize("name", RECORDED)
def test_the_time_left_is_right_within_a_quarter_after_the_first_tenth(name):
    truth, past = recorded(name), [recorded(other) for other in RECORDED if other != name]
    expected = expected_seconds(truth.mode, truth.keyframes, past)
    whole_s = sum(truth.seconds.values()) + BETWEEN_S * (len(MADE) - 1) + PUBLISHING_S
    errors = []
    for percent in range(10, 99):
        left_s = whole_s * (1 - percent / 100)
        shown_s = forecast(states_at(truth, whole_s - left_s), expected).remaining_s
        errors.append(abs(shown_s - left_s) / left_s)
    assert statistics.median(errors) < 0.25
