import numpy as np
import pytest

from ds3d_pipeline.mesh.texture.exposure import exposure_gains, levels, sharpness


def observations(views=6, vertices=3000, seed=0):
    """A chain of views, each seeing a third of the vertices, with true colours."""
    random = np.random.default_rng(seed)
    colors = random.uniform(40, 120, (vertices, 3))
    seen = np.zeros((views, vertices), bool)
    for view in range(views):
        seen[view, view * vertices // (views + 2) : (view + 3) * vertices // (views + 2)] = True
    return colors, seen


def test_gains_undo_the_exposures_though_few_views_share_a_vertex():
    colors, seen = observations()
    exposures = np.array([0.7, 0.9, 1.0, 1.2, 1.1, 1.4])
    photos = np.round(colors * exposures[:, None, None]).clip(0, 255).astype(np.uint8)
    gains = exposure_gains(seen.astype(np.float32), photos)
    product = gains * exposures[:, None]
    np.testing.assert_allclose(product, product.mean(axis=0) * np.ones((6, 1)), rtol=0.01)
    np.testing.assert_allclose(np.exp(np.log(gains).mean(axis=0)), 1, rtol=0.01)


def test_highlights_and_wrong_matches_do_not_count():
    colors, seen = observations()
    photos = np.round(colors * np.array([1, 1, 1, 1.2, 1.2, 1.2])[:, None, None]).astype(np.uint8)
    photos[2, ::4] = 255
    photos[3, ::5] = 12
    gains = exposure_gains(seen.astype(np.float32), photos)
    assert gains[0, 0] / gains[5, 0] == pytest.approx(1.2, rel=0.02)


def test_views_without_a_partner_stay_as_they_are():
    logs = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
    usable = np.zeros((2, 100), bool)
    usable[0, :50], usable[1, 50:] = True, True
    np.testing.assert_allclose(levels(logs, usable), 0)


def test_blurred_views_are_found():
    _, seen = observations()
    detail = np.random.default_rng(1).uniform(4, 20, seen.shape[1])
    blur = np.array([1.0, 0.5, 1.0, 0.25, 1.0, 1.0])
    found = sharpness(seen.astype(np.float32), (detail * blur[:, None]).astype(np.float32))
    np.testing.assert_allclose(found, blur, rtol=0.02)
