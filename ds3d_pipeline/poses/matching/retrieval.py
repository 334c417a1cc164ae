"""Which images look alike, from their own features: VLAD with a vocabulary learned from the capture.

Source: Jégou et al., CVPR 2010; normalised within words as by Arandjelović and Zisserman, CVPR 2013.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.vq import kmeans2, vq

from ds3d_pipeline.poses.matching.features import Features
from ds3d_pipeline.scene import Float32

WORDS = 64
ROUNDS = 8
LEARNED_FROM = 8192
"""Descriptors, over all images, that the words are learned from."""
COARSEST = 1024
"""Features of an image that describe it: the largest, which are the most robust to a change of view."""


def similarities(features: Sequence[Features], *, seed: int) -> Float32:
    """(N, N) cosine similarity of every two images, symmetric; 0 for images without features.

    The cost of an image does not depend on how many there are, but for one product of short vectors a pair.
    """
    described = [np.sqrt(np.asarray(one.descriptors[:COARSEST], np.float32)) for one in features]
    pool = np.concatenate(described)
    vectors = np.zeros((len(features), WORDS * 128), np.float32)
    if len(pool) < WORDS:
        return vectors @ vectors.T
    words = _learn(pool, seed)
    for row, descriptors in enumerate(described):
        if len(descriptors):
            vectors[row] = _vlad(descriptors, words)
    # What all images of a capture have in common separates none of them.
    vectors[[len(one) > 0 for one in described]] -= vectors.mean(axis=0)
    vectors = _unit(vectors)
    return vectors @ vectors.T


def _learn(pool: Float32, seed: int) -> Float32:
    random = np.random.default_rng(seed)
    sample = pool[random.choice(len(pool), min(len(pool), LEARNED_FROM), replace=False)]
    start = sample[random.choice(len(sample), WORDS, replace=False)]
    return np.asarray(kmeans2(sample, start, iter=ROUNDS, minit="matrix")[0], np.float32)


def _vlad(descriptors: Float32, words: Float32) -> Float32:
    """(WORDS * 128,) residuals to the nearest word, summed by word, each word and the whole of length 1."""
    nearest, _ = vq(descriptors, words, check_finite=False)
    belongs = (nearest[None] == np.arange(WORDS)[:, None]).astype(np.float32)
    residuals = belongs @ descriptors - belongs.sum(axis=1, keepdims=True) * words
    return _unit(_unit(residuals).reshape(1, -1))[0]


def _unit(rows: Float32) -> Float32:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
