"""Which images are matched: all with all, or neighbours in time, in space and by similarity."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.spatial import KDTree

from ds3d_pipeline.poses.gps import places_m
from ds3d_pipeline.poses.matching.features import Features
from ds3d_pipeline.poses.matching.retrieval import similarities
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.scene import CaptureKind, Float32, Keyframe

GPS_NEIGHBOURS = 8
PHOTO_OVERLAP = 2
"""People take neighbouring photos one after the other."""

Pairs = set[tuple[int, int]]
"""Positions of two images in their order, the earlier first."""


def choose_pairs(
    kind: CaptureKind,
    frames: Sequence[Keyframe],
    features: Sequence[Features],
    options: PosesOptions,
    *,
    more: int = 1,
) -> tuple[list[tuple[int, int]], str]:
    """Pairs in order, and in words how they were chosen; `more` times as many look alike.

    Their number grows with that of the images, not with its square.
    """
    count = len(frames)
    if kind == "photos" and count <= options.exhaustive_up_to:
        return list(combinations(range(count), 2)), "exhaustive"
    alike = similarities(features, seed=options.seed)
    if kind == "video":
        near = sequential_pairs(count, options.sequential_overlap)
        loops = similar_pairs(alike, more * options.similar_frames, apart=options.sequential_overlap + 1)
        return sorted(near | loops), "sequential and similar"
    near = sequential_pairs(count, PHOTO_OVERLAP)
    similar = similar_pairs(alike, more * options.similar_photos, apart=1)
    by_gps = gps_pairs(frames, GPS_NEIGHBOURS)
    return sorted(near | similar | by_gps), "similar and GPS" if by_gps else "similar"


def sequential_pairs(count: int, overlap: int) -> Pairs:
    """Every image with the `overlap` next ones."""
    return {(i, i + step) for step in range(1, overlap + 1) for i in range(count - step)}


def similar_pairs(similarity: Float32, most: int, *, apart: int) -> Pairs:
    """Every image with the `most` that look most like it, at least `apart` from it and from each other.

    Frames of a video beside a good one would be nearly as good and bring nothing new.
    """
    found: Pairs = set()
    order = np.arange(len(similarity))
    for image in range(len(similarity)):
        left = np.where(abs(order - image) < apart, -np.inf, similarity[image])
        for _ in range(most):
            other = int(np.argmax(left))
            if not left[other] > 0:
                break
            found.add((min(image, other), max(image, other)))
            left[abs(order - other) < apart] = -np.inf
    return found


def gps_pairs(frames: Sequence[Keyframe], most: int) -> Pairs:
    """Every image with a GPS position, paired with the `most` nearest others that have one."""
    known = [
        i
        for i, frame in enumerate(frames)
        if frame.exif.latitude_deg is not None and frame.exif.longitude_deg is not None
    ]
    if len(known) < 2:
        return set()
    level_m, _ = places_m([frames[i] for i in known])
    nearest = np.asarray(KDTree(level_m).query(level_m, k=min(most + 1, len(known)))[1])
    pairs = ((known[a], known[b]) for a, row in enumerate(nearest.tolist()) for b in row if a != b)
    return {(min(pair), max(pair)) for pair in pairs}
