"""Adam and densification."""

import numpy as np

from ds3d_pipeline.splats.kernels import reference
from ds3d_pipeline.splats.kernels.adam import adam_step, fresh_state
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT
from ds3d_pipeline.splats.kernels.render import render
from ds3d_pipeline.splats.training.densify import densify, split
from ds3d_pipeline_tests.splats.scenes import camera, random_rows


def step(rows, grads, state, visible, rates, pulls=(0, 0)):
    adam_step(
        rows,
        grads.copy(),
        state.first,
        state.second,
        state.updates,
        visible,
        rates,
        np.float32(pulls[0]),
        np.float32(pulls[1]),
    )


def test_adam_agrees_with_the_twin_over_many_steps():
    rng = np.random.default_rng(0)
    rows = random_rows(50, 1, 0)
    rates = rng.uniform(1e-4, 1e-2, rows.shape[1]).astype(np.float32)
    state, visible = fresh_state(rows), np.ones(50, bool)
    expected, moments = rows.astype(np.float64), (np.zeros(rows.shape), np.zeros(rows.shape))
    for number in range(1, 21):
        grads = rng.normal(size=rows.shape).astype(np.float32)
        step(rows, grads, state, visible, rates)
        expected, moments = reference.adam(expected, grads.astype(np.float64), moments, rates, number)
    np.testing.assert_allclose(rows, expected, atol=2e-4)


def test_unseen_rows_stay_and_their_first_step_is_a_whole_one():
    rows = random_rows(2, 0, 0)
    before, state = rows.copy(), fresh_state(rows)
    rates = np.full(rows.shape[1], 0.01, np.float32)
    for _ in range(5):
        step(rows, np.ones_like(rows), state, np.array([True, False]), rates)
    np.testing.assert_array_equal(rows[1], before[1])
    step(rows, np.ones_like(rows), state, np.array([False, True]), rates)
    np.testing.assert_allclose(before[1] - rows[1], 0.01, rtol=1e-3)


def test_the_pulls_lower_opacity_and_scale():
    rows = random_rows(10, 0, 0)
    before = rows.copy()
    rates = np.full(rows.shape[1], 0.01, np.float32)
    step(rows, np.zeros_like(rows), fresh_state(rows), np.ones(10, bool), rates, (1e-3, 1e-3))
    assert (rows[:, LOG_SCALE : LOGIT + 1] < before[:, LOG_SCALE : LOGIT + 1]).all()
    np.testing.assert_array_equal(rows[:, :LOG_SCALE], before[:, :LOG_SCALE])


def grown(rows, absgrad, wanted, seed=0):
    state = fresh_state(rows)
    state.updates[:] = 7
    rng = np.random.default_rng(seed)
    return densify(rows, state, absgrad, wanted=wanted, dead_opacity=0.01, rng=rng)


def test_growth_meets_its_number_and_drops_the_faint():
    rows = random_rows(100, 0, 0)
    rows[:, LOGIT] = 0
    rows[:30, LOGIT] = -8
    absgrad = np.ones(100, np.float32)
    more, state = grown(rows, absgrad, 120)
    assert more.shape == (120, rows.shape[1])
    assert (more[:, LOGIT] > -7).all()
    # 50 parents become 100 fresh children, 20 Gaussians are left in peace.
    assert (state.updates == 0).sum() == 100
    assert (state.updates == 7).sum() == 20


def test_growth_happens_where_the_gradient_is_large():
    rows = random_rows(100, 0, 0)
    rows[:, LOGIT] = 0
    absgrad = np.where(np.arange(100) < 10, 1, 0).astype(np.float32)
    more, _ = grown(rows, absgrad, 200)
    np.testing.assert_array_equal(more[10:100], rows[10:])
    assert len(more) == 110


def test_growth_repeats_with_its_seed():
    rows = random_rows(100, 0, 0)
    absgrad = np.random.default_rng(0).random(100).astype(np.float32)
    np.testing.assert_array_equal(grown(rows, absgrad, 130, 3)[0], grown(rows, absgrad, 130, 3)[0])
    assert not np.array_equal(grown(rows, absgrad, 130, 3)[0], grown(rows, absgrad, 130, 4)[0])


def test_a_split_hardly_changes_the_picture():
    rows = random_rows(30, 0, 2)
    before = render(rows, camera(), 0).image
    after = render(np.concatenate(split(rows)), camera(), 0).image
    assert np.abs(after - before).mean() < 0.1 * before.mean()
