"""Points of tracks from several views, robust against wrong observations."""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.poses.opencv.model import Bool, Cameras, Model, Tracks, centres_in_world, normalized
from ds3d_pipeline.poses.opencv.schur import invert
from ds3d_pipeline.programs.jit import EXACT, serial
from ds3d_pipeline.scene import Float64, Int32

MIN_ANGLE_DEG = 1.5
"""Between the rays of a point, as COLMAP's default."""
MAX_PAIRS = 24
"""Pairs of rays that are tried for one track."""


def triangulate(tracks: Tracks, cameras: Cameras, model: Model, wanted: Bool, max_error_px: float) -> Float64:
    """(T, 3) points of the wanted tracks (T,), NaN where no two rays agree; other rows stay as they are."""
    xy = normalized(tracks, cameras, model.intrinsics)
    rays = np.column_stack([xy, np.ones(len(xy))])
    lengths = np.linalg.norm(rays, axis=1)
    directions = np.einsum("mji,mj->mi", model.rotations[tracks.images], rays / lengths[:, None])
    focals = model.intrinsics[cameras.of_image[tracks.images], 0]
    return best_points(
        tracks.starts,
        centres_in_world(model)[tracks.images],
        directions,
        model.registered[tracks.images],
        max_error_px / (focals * lengths),
        wanted,
        model.points,
        float(np.cos(np.radians(MIN_ANGLE_DEG))),
    )


@serial(floats=EXACT)
def best_points(
    starts: Int32,
    centres: Float64,
    directions: Float64,
    usable: Bool,
    tolerances: Float64,
    wanted: Bool,
    points: Float64,
    max_cosine: float,
) -> Float64:
    """For each wanted track the least-squares point of the largest set of rays that agree.

    starts (T + 1,): the observations of track t are rows starts[t] to starts[t + 1]. centres, directions (M,
    3), usable (M,) and tolerances (M,), tangents of an angle, are of the observations. wanted (T,); points
    (T, 3) are kept where they are not wanted. Pairs of rays whose cosine exceeds max_cosine are too parallel;
    hypotheses are the points nearest to up to `MAX_PAIRS` pairs of rays.
    """
    found = points.copy()
    chosen = usable.copy()
    guess = np.empty(3)
    for t in range(len(starts) - 1):
        if not wanted[t]:
            continue
        found[t] = np.nan
        low, high = starts[t], starts[t + 1]
        count = 0
        for m in range(low, high):
            count += usable[m]
        step, number, most = max(1, count * (count - 1) // 2 // MAX_PAIRS), -1, 1
        for a in range(low, high):
            for b in range(low, a):
                if not (usable[a] and usable[b]):
                    continue
                number += 1
                if number % step or _dot(directions[a], directions[b]) > max_cosine:
                    continue
                for m in range(low, high):
                    chosen[m] = m in (a, b)
                nearest_point(low, high, chosen, centres, directions, guess)
                agreeing = 0
                for m in range(low, high):
                    chosen[m] = usable[m] and agrees(guess, centres[m], directions[m], tolerances[m])
                    agreeing += chosen[m]
                if agreeing > most:
                    most = agreeing
                    nearest_point(low, high, chosen, centres, directions, found[t])
    return found


@serial(floats=EXACT)
def nearest_point(
    low: int, high: int, chosen: Bool, centres: Float64, directions: Float64, out: Float64
) -> None:
    """Fills `out` (3,), the point of least squared distance to the chosen rays among rows `low` to `high`.

    chosen (M,); centres and directions (M, 3), the latter of length 1.
    """
    normal, inverse, right = np.zeros((3, 3)), np.empty((3, 3)), np.zeros(3)
    for m in range(low, high):
        if not chosen[m]:
            continue
        along = _dot(directions[m], centres[m])
        for i in range(3):
            right[i] += centres[m, i] - along * directions[m, i]
            normal[i, i] += 1
            for j in range(3):
                normal[i, j] -= directions[m, i] * directions[m, j]
    invert(normal, inverse)
    for i in range(3):
        out[i] = _dot(inverse[i], right)


@serial(floats=EXACT)
def agrees(point: Float64, centre: Float64, direction: Float64, tolerance: float) -> bool:
    """Whether a point is in front of the camera and no further from its ray than `tolerance` of its depth.

    point, centre (3,) in the world; direction (3,) of length 1.
    """
    depth = beside = 0.0
    for i in range(3):
        depth += (point[i] - centre[i]) * direction[i]
    for i in range(3):
        beside += (point[i] - centre[i] - depth * direction[i]) ** 2
    return depth > 0 and beside < (tolerance * depth) ** 2


@serial(floats=EXACT)
def _dot(a: Float64, b: Float64) -> float:
    """The scalar product of the vectors a and b (3,)."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def widest_angles_deg(tracks: Tracks, model: Model) -> Float64:
    """(T,) the largest angle between the first used ray of a point and its others; 0 without a point."""
    rays = centres_in_world(model)[tracks.images] - model.points[tracks.tracks]
    rays = rays / np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    rows = np.flatnonzero(model.used)
    angles = np.zeros(len(tracks))
    if len(rows) == 0:
        return angles
    owners, first = np.unique(tracks.tracks[rows], return_index=True)
    reference = np.zeros((len(tracks), 3))
    reference[owners] = rays[rows[first]]
    sines = np.linalg.norm(np.cross(reference[tracks.tracks[rows]], rays[rows]), axis=1)
    cosines = (reference[tracks.tracks[rows]] * rays[rows]).sum(axis=1)
    np.maximum.at(angles, tracks.tracks[rows], np.degrees(np.arctan2(sines, cosines)))
    return angles
