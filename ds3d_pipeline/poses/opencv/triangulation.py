"""Points of tracks from several views, robust against wrong observations."""

from __future__ import annotations

import numpy as np
from numba import njit

from ds3d_pipeline.poses.opencv.model import Bool, Cameras, Model, Tracks, centres_in_world, normalized
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
        model.placed[tracks.images],
        max_error_px / (focals * lengths),
        wanted,
        model.points,
        np.cos(np.radians(MIN_ANGLE_DEG)),
    )


@njit(cache=True)
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

    centres, directions (M, 3), usable (M,) and tolerances (M,), tangents of an angle, are of the
    observations; hypotheses are the midpoints of up to `MAX_PAIRS` pairs of rays.
    """
    found = points.copy()
    for t in range(len(starts) - 1):
        if not wanted[t]:
            continue
        found[t] = np.nan
        rows = np.flatnonzero(usable[starts[t] : starts[t + 1]]) + starts[t]
        pairs = len(rows) * (len(rows) - 1) // 2
        if pairs == 0:
            continue
        step, number, most = max(1, pairs // MAX_PAIRS), -1, 1
        for i in range(len(rows)):
            for j in range(i):
                number += 1
                a, b = rows[i], rows[j]
                if number % step or np.dot(directions[a], directions[b]) > max_cosine:
                    continue
                guess = nearest_point(centres, directions, np.array([a, b]))
                agree = rows[_agreeing(guess, centres, directions, tolerances, rows)]
                if len(agree) > most:
                    most = len(agree)
                    found[t] = nearest_point(centres, directions, agree)
    return found


@njit(cache=True)
def nearest_point(centres: Float64, directions: Float64, rows: Int32) -> Float64:
    """(3,) the point of least squared distance to the rays `rows`."""
    normal, right = np.zeros((3, 3)), np.zeros(3)
    for row in rows:
        d = directions[row]
        across = np.eye(3) - np.outer(d, d)
        normal += across
        right += across @ centres[row]
    return np.linalg.solve(normal, right)


@njit(cache=True)
def _agreeing(
    point: Float64, centres: Float64, directions: Float64, tolerances: Float64, rows: Int32
) -> Bool:
    agree = np.zeros(len(rows), np.bool_)
    for k in range(len(rows)):
        row = rows[k]
        to_point = point - centres[row]
        depth = np.dot(to_point, directions[row])
        beside = np.linalg.norm(to_point - depth * directions[row])
        agree[k] = depth > 0 and beside < tolerances[row] * depth
    return agree


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
