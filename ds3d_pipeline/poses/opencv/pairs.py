"""Which images are matched: all with all, or neighbours in time and images that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ds3d_pipeline.options import PosesOptions
from ds3d_pipeline.poses.features import Features
from ds3d_pipeline.scene import CaptureKind, Float64

GLANCE_FEATURES = 200
"""Coarsest features of an image that tell whether two images look alike."""
GLANCE_RATIO = 0.8
MIN_GLANCE = 5
ALIKE_IN_VIDEO = 5
"""Alike images that close loops, for each image of a video."""
ALIKE_IN_PHOTOS = 25

Pairs = list[tuple[int, int]]


def choose_pairs(features: Sequence[Features], kind: CaptureKind, options: PosesOptions) -> tuple[Pairs, str]:
    """Pairs of image numbers, in order, and in a word how they were chosen."""
    count = len(features)
    if kind == "photos" and count <= options.exhaustive_up_to:
        return list(combinations(range(count), 2)), "exhaustive"
    likeness = likenesses(features)
    if kind == "photos":
        return sorted(alike_pairs(likeness, ALIKE_IN_PHOTOS)), "similarity"
    near = sequential_pairs(count, options.sequential_overlap)
    for first, second in near:
        likeness[first, second] = likeness[second, first] = 0
    return sorted(near | alike_pairs(likeness, ALIKE_IN_VIDEO)), "sequential"


def sequential_pairs(count: int, overlap: int) -> set[tuple[int, int]]:
    """Every image with the `overlap` next ones, and with those at powers of two up to 2^overlap further on."""
    distances = {*range(1, overlap + 1), *(2**power for power in range(overlap))}
    return {(first, first + far) for far in distances for first in range(count - far)}


def alike_pairs(likeness: Float64, most: int) -> set[tuple[int, int]]:
    """For each image up to `most` others of highest likeness (N, N), at least `MIN_GLANCE`."""
    found = set()
    for image, row in enumerate(likeness):
        for other in np.argsort(-row, kind="stable")[:most]:
            if row[other] >= MIN_GLANCE:
                found.add((min(image, int(other)), max(image, int(other))))
    return found


def likenesses(features: Sequence[Features]) -> Float64:
    """(N, N) symmetric: how many of the coarsest features of two images pass the ratio test; 0 with itself."""
    count = len(features)
    table = np.zeros((count, GLANCE_FEATURES, 128), np.float32)
    for row, one in zip(table, features, strict=True):
        coarse = one.descriptors[:GLANCE_FEATURES].astype(np.float32)
        row[: len(coarse)] = coarse / 512
    passed = np.zeros((count, count))
    for first in range(count):
        cosines = (table[first] @ table.reshape(-1, 128).T).reshape(GLANCE_FEATURES, count, GLANCE_FEATURES)
        runner_up, best = np.moveaxis(np.partition(cosines, -2, axis=2)[:, :, -2:], 2, 0)
        good = (1 - best < GLANCE_RATIO**2 * (1 - runner_up)) & (best > 0)
        passed[first] = good.sum(axis=0)
    np.fill_diagonal(passed, 0)
    return np.minimum(passed, passed.T)
