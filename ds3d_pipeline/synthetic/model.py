"""The sparse model that structure from motion would ideally find in a synthetic capture of photos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.formats.images import read_gray
from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.scene import Float32, Float64, Int32, Reconstruction, View
from ds3d_pipeline.synthetic.render import render_depth
from ds3d_pipeline.synthetic.truth import Truth

SAME_DEPTH = 0.01
MIN_CORNERNESS = 1e-4
"""Least eigenvalue of the structure tensor of grey values in [0, 1] that a feature needs."""
CANDIDATES = 20_000


def true_depths(truth: Truth) -> list[Float32]:
    """The exact depth (H, W) of every frame, 0 where nothing is hit."""
    poses = [frame.cam_from_world for frame in truth.frames]
    return [render_depth(truth.vertices, truth.faces, truth.K, pose, truth.size_wh)[0] for pose in poses]


def true_model(truth: Truth, depths: list[Float32], points: int, seed: int = 0) -> Reconstruction:
    """The true cameras and up to `points` true points, all on corners of the photos.

    A point counts for the views that see it, at least two. Only texture yields points, as in real captures.
    """
    random = np.random.default_rng(seed)
    offered = truth.seen_points[random.permutation(len(truth.seen_points))[:CANDIDATES]]
    corners = [_cornerness(truth.input / frame.image) for frame in truth.frames]
    seen = np.zeros((len(truth.frames), len(offered)), bool)
    for index, frame in enumerate(truth.frames):
        ids, pixels = visible(truth.K, frame.cam_from_world, depths[index], offered)
        column, row = pixels.astype(int).T
        seen[index, ids] = corners[index][row, column] > MIN_CORNERNESS
    chosen = np.flatnonzero(seen.sum(axis=0) >= 2)[:points]
    views = tuple(
        View(
            image=frame.image,
            image_size_wh=truth.size_wh,
            K=truth.K,
            cam_from_world=frame.cam_from_world,
            point_ids=np.flatnonzero(row).astype(np.int32),
        )
        for frame, row in zip(truth.frames, seen[:, chosen], strict=True)
    )
    return Reconstruction(
        views=views,
        points_in_world=offered[chosen],
        colors=np.full((len(chosen), 3), 128, np.uint8),
        errors_px=np.full(len(chosen), 0.3),
        track_lengths=seen[:, chosen].sum(axis=0).astype(np.int32),
    )


def visible(
    K: Float64, cam_from_world: Float64, depth: Float32, points: Float64
) -> tuple[Int32, NDArray[np.float64]]:
    """Indices (M,) of the points (N, 3) on the surface that a depth map shows, and their pixels (M, 2)."""
    pixels, z = project(K, cam_from_world, points)
    height, width = depth.shape
    with np.errstate(invalid="ignore"):
        inside = (z > 0) & (pixels >= 0).all(axis=1) & (pixels < [width, height]).all(axis=1)
    ids = np.flatnonzero(inside)
    column, row = pixels[ids].astype(int).T
    ids = ids[np.abs(depth[row, column] / z[ids] - 1) < SAME_DEPTH]
    return ids.astype(np.int32), pixels[ids]


def views_of_pixels(truth: Truth, depths: list[Float32], index: int) -> Int32:
    """(H, W) number of frames, itself included, that see what each pixel of one frame sees; 0 for nothing."""
    depth, known = depths[index], depths[index] > 0
    row, column = np.nonzero(known)
    rays = np.stack([column + 0.5, row + 0.5, np.ones(len(row))], axis=1) @ np.linalg.inv(truth.K).T
    pose = truth.frames[index].cam_from_world
    points = (rays * depth[known][:, None] - pose[:3, 3]) @ pose[:3, :3]
    total = np.zeros(len(points), np.int32)
    for frame, there in zip(truth.frames, depths, strict=True):
        total[visible(truth.K, frame.cam_from_world, there, points)[0]] += 1
    views = np.zeros(depth.shape, np.int32)
    views[known] = total
    return views


def _cornerness(photo: Path) -> Float32:
    grey = read_gray(photo).astype(np.float32) / 255
    return np.asarray(cv2.cornerMinEigenVal(grey, 5), np.float32)
