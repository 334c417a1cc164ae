"""Tracks of features from pairwise matches, by union-find (Moulon and Monasse 2012)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3d_pipeline.poses.opencv.matching import PairMatches
from ds3d_pipeline.poses.opencv.model import Tracks
from ds3d_pipeline.programs.jit import EXACT, serial
from ds3d_pipeline.scene import Float64, Int32


def build_tracks(keypoints_xy: Sequence[Float64], matches: Sequence[PairMatches]) -> Tracks:
    """Joins matched features. `keypoints_xy`: (N_i, 2) pixels of every image.

    A track holds at most one feature of an image: a match that would bring two together is left out, those
    of the pairs with the most matches being joined first.
    """
    counts = [len(xy) for xy in keypoints_xy]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    image_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    best_first = sorted(matches, key=lambda pair: -len(pair.indices))
    edges = [pair.indices + offsets[[pair.first, pair.second]] for pair in best_first]
    joined = np.concatenate(edges) if edges else np.zeros((0, 2), np.int32)
    roots = join(joined.astype(np.int32), image_of)
    sizes = np.bincount(roots, minlength=len(roots))
    members = np.flatnonzero(sizes[roots] >= 2)
    members = members[np.argsort(roots[members], kind="stable")]
    _, first, lengths = np.unique(roots[members], return_index=True, return_counts=True)
    pixels = np.concatenate(list(keypoints_xy)).astype(np.float64) if keypoints_xy else np.zeros((0, 2))
    return Tracks(
        pixels=pixels[members],
        images=image_of[members],
        tracks=np.repeat(np.arange(len(first), dtype=np.int32), lengths),
        starts=np.append(first, len(members)).astype(np.int32),
    )


@serial(floats=EXACT)
def join(edges: Int32, image_of: Int32) -> Int32:
    """(N,) root of each feature after joining edges (E, 2) in order, never two features of one image.

    image_of (N,): the image of each feature.
    A component is a ring through `after`, so that its members can be walked.
    """
    root = np.arange(len(image_of)).astype(np.int32)
    after = root.copy()
    size = np.ones(len(image_of), np.int32)
    for e in range(len(edges)):
        a, b = np.int32(root[edges[e, 0]]), np.int32(root[edges[e, 1]])
        if a == b or _share_an_image(a, b, after, image_of):
            continue
        if size[a] < size[b]:
            a, b = b, a
        member = b
        for _ in range(size[b]):
            root[member] = a
            member = after[member]
        size[a] += size[b]
        after[a], after[b] = after[b], after[a]
    return root


@serial(floats=EXACT)
def _share_an_image(a: np.int32, b: np.int32, after: Int32, image_of: Int32) -> bool:
    """Whether the components of features a and b have features of one image.

    after (N,): the next feature of the same component; image_of (N,): the image of each feature.
    """
    one = a
    while True:
        other = b
        while True:
            if image_of[one] == image_of[other]:
                return True
            other = after[other]
            if other == b:
                break
        one = after[one]
        if one == a:
            return False
