"""Compiles every kernel before the clock of training starts; a later run finds them in the cache."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np

from ds3d_pipeline.options import SplatOptions
from ds3d_pipeline.splats.inputs import Photo
from ds3d_pipeline.splats.layout import LOG_SCALE, QUAT, SH
from ds3d_pipeline.splats.train import train

log = logging.getLogger(__name__)


def compile_kernels(announce: Callable[[], None]) -> float:
    """Trains a splat of one Gaussian on one small picture for one step; returns the seconds it took."""
    announce()
    start = time.perf_counter()
    row = np.zeros((1, SH + 3), np.float32)
    row[0, 2], row[0, QUAT], row[0, LOG_SCALE : LOG_SCALE + 3] = 1, 1, -3
    K = np.array([[32.0, 0, 16], [0, 32, 16], [0, 0, 1]])
    photo = Photo(name="", pixels=np.zeros((32, 32, 3), np.uint8), K=K, cam_from_world=np.eye(4))
    train(row, [photo], SplatOptions(iterations=1, max_seconds=1e9, max_gaussians=1, sh_degree=0))
    seconds = time.perf_counter() - start
    log.info("kernels ready after %.1f s", seconds)
    return seconds
