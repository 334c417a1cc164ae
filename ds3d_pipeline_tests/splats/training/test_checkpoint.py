"""A training that was broken off goes on as if it had not been."""

from dataclasses import replace

import numpy as np
import pytest

from ds3d_pipeline.splats.options import Recipe
from ds3d_pipeline.splats.training.checkpoint import Checkpoints, training_mark
from ds3d_pipeline.splats.training.trainer import train
from ds3d_pipeline_tests.splats.training.test_trainer import OPTIONS, orbit, rough, truth

__all__ = ["truth"]
SHORT = replace(OPTIONS, iterations=120)


class Killed(Exception):
    pass


def kill_at(iteration):
    def hook(trainer) -> bool:
        if trainer.clock.iteration >= iteration:
            raise Killed
        return False

    return hook


@pytest.mark.slow
@pytest.mark.parametrize("mip_filter", [False, True])
def test_a_resumed_run_ends_exactly_where_an_unbroken_one_does(truth, tmp_path, mip_filter):
    photos, start = orbit(6, truth), rough(truth)
    options = replace(SHORT, mip_filter=mip_filter)
    unbroken = train(start, photos, options)
    checkpoints = Checkpoints(path=tmp_path / "checkpoint.npz", mark="m", every_s=0)
    with pytest.raises(Killed):
        train(start, photos, options, hooks=(checkpoints, kill_at(70)))
    state = checkpoints.load()
    assert state is not None
    assert state["counts"][0] == 70
    resumed = train(start, photos, options, resume=state)
    assert resumed.iterations == 120
    np.testing.assert_array_equal(resumed.rows, unbroken.rows)


def test_seconds_go_on_where_they_were(truth, tmp_path):
    photos, start = orbit(3, truth), rough(truth)
    clock = iter(np.arange(0, 1000, 0.01))
    checkpoints = Checkpoints(path=tmp_path / "checkpoint.npz", mark="m", every_s=0)
    with pytest.raises(Killed):
        train(start, photos, SHORT, hooks=(checkpoints, kill_at(20)), now=lambda: float(next(clock)))
    state = checkpoints.load()
    assert state is not None
    resumed = train(start, photos, replace(SHORT, iterations=21), resume=state, now=lambda: 5000.0)
    assert resumed.seconds == pytest.approx(float(state["seconds"]))


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_not_used(tmp_path):
    checkpoints = Checkpoints(path=tmp_path / "checkpoint.npz", mark="one", every_s=0)
    assert checkpoints.load() is None
    checkpoints.save({"rows": np.zeros(3)})
    assert checkpoints.load() is not None
    assert Checkpoints(path=checkpoints.path, mark="two", every_s=0).load() is None
    checkpoints.path.write_bytes(checkpoints.path.read_bytes()[:-30])
    assert checkpoints.load() is None
    checkpoints.remove()
    assert not checkpoints.path.exists()


def test_the_mark_follows_everything_that_training_depends_on(truth):
    photos, start = orbit(2, truth), rough(truth)
    mark = training_mark(start, photos, SHORT, Recipe())
    assert mark == training_mark(start.copy(), list(photos), SHORT, Recipe())
    darker = [replace(photos[0], pixels=photos[0].pixels // 2), photos[1]]
    others = [
        training_mark(start + 1, photos, SHORT, Recipe()),
        training_mark(start, darker, SHORT, Recipe()),
        training_mark(start, photos, replace(SHORT, seed=1), Recipe()),
        training_mark(start, photos, SHORT, Recipe(dssim_weight=0.3)),
    ]
    assert len({mark, *others}) == 5
