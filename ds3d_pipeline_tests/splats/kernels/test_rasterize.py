"""Drawing and its gradients against the plain twin and against finite differences in float64."""

import numpy as np
import pytest

from ds3d_pipeline.splats.kernels import reference
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, SH
from ds3d_pipeline.splats.kernels.render import render, render_backward
from ds3d_pipeline_tests.splats.scenes import camera, random_rows

BACKGROUND = (0.9, 0.2, 0.5)
GROUPS = {"mean": slice(0, 3), "quat": slice(3, 7), "scale": slice(7, 10), "logit": slice(10, 11)}


def assert_same_picture(rows, cam, degree):
    drawn = render(rows, cam, degree)
    image, transmittance = reference.render(rows, cam)
    # A pixel whose alpha is at the 1/255 cut may fall on either side of it in float32.
    assert np.abs(drawn.image - image).mean() < 2e-5
    assert np.abs(drawn.image - image).max() < 0.02
    assert np.abs(drawn.transmittance - transmittance).max() < 0.02


@pytest.mark.parametrize("seed", range(8))
def test_pictures_agree_with_the_twin(seed):
    assert_same_picture(random_rows(150, seed % 4, seed), camera(seed=seed), seed % 4)


@pytest.mark.parametrize("size", [(16, 16), (17, 15), (32, 33), (1, 1), (5, 70)])
def test_pictures_agree_at_tile_borders(size):
    assert_same_picture(random_rows(80, 0, 1), camera(*size), 0)


@pytest.mark.parametrize("distance", [0.0, 0.5])
def test_pictures_agree_with_gaussians_behind_and_beside_the_camera(distance):
    rows = random_rows(120, 1, 3)
    assert_same_picture(rows, camera(distance=distance), 1)


def test_pictures_agree_for_needles_and_specks():
    rows = random_rows(60, 0, 5)
    rows[:20, LOG_SCALE] = 1.0
    rows[:20, LOG_SCALE + 1 : LOGIT] = -12.0
    rows[20:40, LOG_SCALE:LOGIT] = -15.0
    assert_same_picture(rows, camera(), 0)


def test_many_layers_end_early_without_changing_the_picture():
    rows = random_rows(1500, 0, 6, spread=0.4)
    rows[:, LOGIT] = 3
    rows[:, LOG_SCALE:LOGIT] = -0.5
    drawn = render(rows, camera(), 0)
    assert (drawn.ends < drawn.tiles.starts[1:]).any()
    image, _ = reference.render(rows, camera())
    assert np.abs(drawn.image - image).mean() < 1e-4


def test_the_background_shows_where_light_is_left():
    rows, cam = random_rows(60, 0, 9), camera()
    drawn = render(rows, cam, 0, np.array(BACKGROUND, np.float32))
    image, _ = reference.render(rows, cam, background=BACKGROUND)
    assert np.abs(drawn.image - image).mean() < 2e-5
    assert np.abs(drawn.image - render(rows, cam, 0).image).max() > 0.3


def test_nothing_is_drawn_of_transparent_or_hidden_gaussians():
    rows = random_rows(40, 0, 7)
    rows[:20, LOGIT] = -20
    rows[20:, :3] -= 50 * camera()[6:9]
    drawn = render(rows, camera(), 0)
    assert not drawn.visible.any()
    assert not drawn.image.any()
    assert (drawn.transmittance == 1).all()


def test_an_empty_splat_draws_black_and_has_no_gradient():
    rows = random_rows(0, 1, 0)
    drawn = render(rows, camera(), 1)
    assert not drawn.image.any()
    assert render_backward(rows, camera(), 1, drawn, np.ones_like(drawn.image)).rows.shape == rows.shape


def finite_differences(rows, cam, weights, step=1e-6):
    grads = np.zeros(rows.shape)
    for index in np.ndindex(*rows.shape):
        up, down = rows.astype(np.float64), rows.astype(np.float64)
        up[index] += step
        down[index] -= step
        pictures = [reference.render(each, cam, background=BACKGROUND)[0] for each in (up, down)]
        difference = pictures[0] - pictures[1]
        grads[index] = (difference * weights).sum() / (2 * step)
    return grads


@pytest.mark.parametrize("seed", range(6))
def test_gradients_agree_with_finite_differences(seed):
    degree = seed % 4
    rows, cam = random_rows(6, degree, seed), camera(40, 24, seed=seed)
    rows[:, LOGIT] = np.minimum(rows[:, LOGIT], 2)
    drawn = render(rows, cam, degree, np.array(BACKGROUND, np.float32))
    weights = np.random.default_rng(seed).normal(size=drawn.image.shape).astype(np.float32)
    grads = render_backward(rows, cam, degree, drawn, weights).rows
    expected = finite_differences(rows, cam, weights)
    for name, columns in {**GROUPS, "sh": slice(SH, None)}.items():
        scale = np.abs(expected[:, columns]).max()
        assert np.abs(grads - expected)[:, columns].max() < 5e-3 * scale, name


@pytest.mark.parametrize("seed", range(8))
def test_gradients_of_a_crowd_agree_along_random_directions(seed):
    degree = seed % 4
    rows, cam = random_rows(120, degree, seed, spread=0.8), camera(61, 45, seed=seed)
    rows[:, LOGIT] = np.minimum(rows[:, LOGIT], 2)
    drawn = render(rows, cam, degree)
    y, x = np.mgrid[:45, :61] / 20.0
    weights = np.stack([np.sin(x + y), np.cos(2 * x - y), np.sin(x * y)]).astype(np.float32)
    grads = render_backward(rows, cam, degree, drawn, weights).rows
    rng = np.random.default_rng(seed)
    # Along the gradient's signs, so that no two errors cancel; so short a step that no pixel crosses the cut.
    direction = np.abs(rng.normal(size=rows.shape)) * np.sign(grads)
    step = 1e-9
    difference = (
        reference.render(rows + step * direction, cam)[0] - reference.render(rows - step * direction, cam)[0]
    )
    expected = (difference * weights).sum() / (2 * step)
    assert (grads * direction).sum() == pytest.approx(expected, rel=1e-3)


def test_gradients_reach_only_what_is_seen_and_repeat_exactly():
    rows, cam = random_rows(300, 2, 11, spread=3.0), camera()
    drawn = render(rows, cam, 2)
    weights = np.ones_like(drawn.image)
    first = render_backward(rows, cam, 2, drawn, weights)
    second = render_backward(rows, cam, 2, render(rows, cam, 2), weights)
    assert 0 < drawn.visible.sum() < len(rows)
    assert not first.rows[~drawn.visible].any()
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.absgrad, second.absgrad)
