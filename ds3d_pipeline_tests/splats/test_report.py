"""What is said of a training."""

import pytest

from ds3d_pipeline.splats.options import Recipe
from ds3d_pipeline.splats.report import CurvePoint, SplatReport, describe_training
from ds3d_pipeline.splats.training.schedule import Clock, work_done

CURVE = tuple(
    CurvePoint(done=done, seconds=600 * done, iteration=1, gaussians=9, psnr_db=psnr)
    for done, psnr in ((0.5, 24.0), (0.75, 25.0), (1.0, 25.6))
)


@pytest.mark.parametrize(
    ("splat", "text"),
    [
        ({"iterations": 0}, "Untrained: one Gaussian per point."),
        (
            {"iterations": 900, "planned_iterations": 900, "stopped": "iterations"},
            "Trained for 900 steps.",
        ),
        (
            {"iterations": 2400, "planned_iterations": 3000, "stopped": "stalled"},
            "Trained for 2,400 of 3,000 steps: the score no longer rose.",
        ),
        (
            {"iterations": 403, "planned_iterations": 3000, "stopped": "seconds", "max_seconds": 180.0},
            "Trained for 403 of 3,000 steps, stopped by the 3-minute limit.",
        ),
    ],
)
def test_a_training_that_was_cut_short_says_by_what(splat, text):
    assert describe_training(SplatReport(gaussians=9, **splat)) == text


def test_a_training_that_its_time_limit_ended_says_what_more_would_bring():
    splat = SplatReport(
        gaussians=9,
        iterations=1000,
        planned_iterations=3000,
        stopped="seconds",
        max_seconds=600.0,
        training_seconds=600.0,
        curve=CURVE,
    )
    assert describe_training(splat) == (
        "Trained for 1,000 of 3,000 steps, stopped by the 10-minute limit. Its last quarter brought 0.6 dB. "
        "All steps would take about 33 min: `--set splat.max_seconds=1980`."
    )


def test_the_time_left_knows_that_early_steps_draw_smaller_photos():
    recipe = Recipe()
    assert work_done(recipe, 0.0) == 0.0
    assert work_done(recipe, 1.0) == pytest.approx(1.0)
    assert work_done(recipe, 0.35) < 0.25
    now = [0.0]
    clock = Clock(1000, 1e6, lambda: now[0], lambda done: work_done(recipe, done))
    clock.iteration, now[0] = 350, 20.0
    assert clock.seconds_left > 60
    assert clock.passed == pytest.approx(work_done(recipe, 0.35))


def test_the_time_left_is_never_more_than_the_limit_leaves():
    now = [0.0]
    clock = Clock(1000, 100.0, lambda: now[0])
    clock.iteration, now[0] = 1, 90.0
    assert clock.seconds_left == pytest.approx(10.0)
    assert clock.passed == pytest.approx(0.9)
