"""Looks at held-out photos while training goes on."""

import numpy as np
import pytest

from ds3d_pipeline.splats.options import EarlyStoppingOptions
from ds3d_pipeline.splats.training.early_stopping import EarlyStopping
from ds3d_pipeline.splats.training.trainer import train
from ds3d_pipeline_tests.splats.training.test_trainer import OPTIONS, orbit, rough, truth

__all__ = ["truth"]


@pytest.mark.slow
def test_the_curve_rises_and_is_told(truth):
    photos, shown = orbit(12, truth), []
    early_stopping = EarlyStopping(
        photos=photos[1::5], degree=1, show=lambda done, rows: shown.append((done, len(rows)))
    )
    trained = train(rough(truth), photos, OPTIONS, hooks=(early_stopping,))
    assert trained.stopped == "iterations"
    assert [look.done for look in early_stopping.curve] == [done for done, _ in shown]
    np.testing.assert_allclose([look.done for look in early_stopping.curve], np.arange(1, 21) / 20, atol=0.01)
    assert early_stopping.curve[-1].psnr_db > early_stopping.curve[2].psnr_db + 2
    assert shown[-1][1] == len(trained.rows)


NEVER_ENOUGH = EarlyStoppingOptions(every=0.02, min_gain_db=100)


@pytest.mark.slow
def test_a_score_that_rises_no_more_ends_training(truth):
    photos = orbit(12, truth)
    early_stopping = EarlyStopping(
        photos=photos[1::5], degree=1, options=EarlyStoppingOptions(begin=0.2, every=0.02, min_gain_db=3.0)
    )
    trained = train(rough(truth), photos, OPTIONS, hooks=(early_stopping,))
    assert trained.stopped == "stalled"
    assert trained.iterations < OPTIONS.iterations
    scores = [look.psnr_db for look in early_stopping.curve if look.done >= 0.2]
    assert max(scores[-3:]) < max(scores[:-3]) + 3.0


@pytest.mark.slow
def test_without_held_out_photos_or_without_leave_it_never_stops(truth):
    photos = orbit(4, truth)
    for early_stopping in (
        EarlyStopping(photos=[], degree=1, options=NEVER_ENOUGH),
        EarlyStopping(photos=photos[:1], degree=1, stop=False, options=NEVER_ENOUGH),
    ):
        trained = train(rough(truth), photos, OPTIONS, hooks=(early_stopping,))
        assert trained.iterations == OPTIONS.iterations
