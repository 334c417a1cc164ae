"""Groups of frames that are linked by verified matches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ds3d_pipeline.poses.evidence import PairEvidence

LINK_INLIERS = 20
"""Fewer are met by chance, too."""
SMALLEST = 3
SMALLEST_SHARE = 0.15
"""A group has at least so many of the frames; the rest are strays."""


def linked_groups(frames: int, pairs: Sequence[PairEvidence]) -> list[list[int]]:
    """Indices of the frames in each group, the largest first: the connected parts of the graph of pairs."""
    links = [(pair.first, pair.second) for pair in pairs if pair.inliers >= LINK_INLIERS]
    first, second = np.array(links, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (first, second)), shape=(frames, frames))
    count, label = connected_components(graph, directed=False)
    groups = [np.flatnonzero(label == number).tolist() for number in range(count)]
    needed = max(SMALLEST, SMALLEST_SHARE * frames)
    return sorted((group for group in groups if len(group) >= needed), key=len, reverse=True)
