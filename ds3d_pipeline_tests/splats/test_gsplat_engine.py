"""gsplat in place of our kernels: why it cannot run, and where it can, that it draws the same."""

import numpy as np
import pytest

from ds3d_pipeline.splats.gsplat_engine import GsplatEngine, why_no_gsplat
from ds3d_pipeline.splats.kernels.parameters import LOGIT
from ds3d_pipeline.splats.kernels.render import BLACK, KernelEngine
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.stages.plan import plan_ladder
from ds3d_pipeline_tests.splats.scenes import camera, random_rows


def test_the_ladder_says_why_gsplat_is_skipped_and_goes_on_to_the_cpu():
    plan = plan_ladder("splat", SplatOptions())
    reason = why_no_gsplat()
    if reason is None:
        assert plan.rungs[0] == "gsplat"
    else:
        assert plan.rungs[0] in ("gsplat-container", "cpu")
        assert (plan.skipped[0].backend, plan.skipped[0].reason) == ("gsplat", reason)
    untrained = plan_ladder("splat", SplatOptions(train=False))
    assert untrained.rungs == ("light",)


@pytest.mark.gpu
@pytest.mark.skipif(why_no_gsplat() is not None, reason=f"no gsplat here: {why_no_gsplat()}")
@pytest.mark.parametrize("seed", range(4))
def test_pictures_and_gradients_agree_with_our_kernels(seed):
    rows, cam = random_rows(200, seed % 4, seed), camera(seed=seed)
    rows[:, LOGIT] = np.minimum(rows[:, LOGIT], 2)
    weights = np.random.default_rng(seed).normal(size=(3, 37, 53)).astype(np.float32)
    grads = []
    for engine in (KernelEngine(), GsplatEngine()):
        drawn = engine.render(rows, cam, seed % 4, BLACK)
        grads.append((drawn.image, engine.backward(rows, cam, seed % 4, drawn, weights).rows))
    assert np.abs(grads[0][0] - grads[1][0]).mean() < 1e-4
    scale = np.abs(grads[0][1]).max(axis=0)
    assert np.abs(grads[0][1] - grads[1][1]).mean(axis=0) == pytest.approx(0 * scale, abs=1e-2)
