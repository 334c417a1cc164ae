"""OpenCV's robust estimators (USAC), the same for the same seed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import cv2

SEEDS = 4
T = TypeVar("T")
log = logging.getLogger(__name__)


def usac_params(seed: int, threshold: float) -> cv2.UsacParams:
    """MAGSAC++ (Barath et al. 2020) with local optimisation; `threshold` in the units of the estimator."""
    params = cv2.UsacParams()
    params.confidence = 0.9999
    params.isParallel = False
    params.maxIterations = 5000
    params.score = cv2.SCORE_METHOD_MAGSAC
    params.loMethod = cv2.LOCAL_OPTIM_SIGMA
    params.final_polisher = cv2.MAGSAC
    params.final_polisher_iterations = 3
    params.loIterations = 10
    params.loSampleSize = 50
    params.randomGeneratorState = seed
    params.threshold = threshold
    return params


def estimate(attempt: Callable[[cv2.UsacParams], T], threshold: float, seed: int) -> T | None:
    """What `attempt` finds; None where OpenCV fails whatever it draws.

    OpenCV 5.0.0 breaks off with an assertion, "!model.empty()", on some draws from data that other draws
    explain well, most often a plane.
    """
    for turn in range(SEEDS):
        try:
            return attempt(usac_params(seed + turn, threshold))
        except cv2.error as error:
            log.info("robust estimation failed at try %d: %s", turn + 1, error.err)
    return None
