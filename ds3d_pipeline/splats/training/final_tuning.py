"""A little more training on all photos, after the score on the held-out ones was taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ds3d_pipeline.splats.kernels.render import Engine
from ds3d_pipeline.splats.options import Recipe, SplatOptions
from ds3d_pipeline.splats.training.photos import Photo
from ds3d_pipeline.splats.training.schedule import polish
from ds3d_pipeline.splats.training.trainer import Report, Trained, train

_LENGTH = 0.1
"""As a fraction of the training before."""


def train_on_all(
    trained: Trained,
    photos: Sequence[Photo],
    training: Sequence[Photo],
    options: SplatOptions,
    recipe: Recipe,
    *,
    report: Report,
    engine: Engine,
) -> Trained:
    """Goes on from the end of `trained` at its last rates, with `photos`, of which `training` were known."""
    last = replace(
        options,
        iterations=max(round(_LENGTH * trained.iterations), 1),
        max_seconds=max(_LENGTH * trained.seconds, 1e-3),
    )
    places = [index for index, photo in enumerate(photos) if any(photo is known for known in training)]
    state = _widened(trained.state, places, len(photos))
    return train(
        trained.rows,
        photos,
        last,
        recipe=polish(recipe),
        report=report,
        resume=state,
        engine=engine,
    )


def _widened(state: dict[str, np.ndarray], places: list[int], count: int) -> dict[str, np.ndarray]:
    """The state at iteration 0 of a training on `count` photos, of which those at `places` were known."""
    gains, updates = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
    moments = np.zeros((2, count, 3), np.float32)
    gains[places], updates[places] = state["exposure_log_gains"], state["exposure_updates"]
    moments[:, places] = state["exposure_moments"]
    exposure = {"exposure_log_gains": gains, "exposure_updates": updates, "exposure_moments": moments}
    start = {"counts": np.array([0, 0, len(state["rows"])]), "seconds": np.zeros(())}
    return {**state, **exposure, **start, "queue": np.zeros(0, np.int64), "psnrs": np.zeros(count)}
