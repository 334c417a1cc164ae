"""Fusion of depth maps: every surface element seen consistently by several views becomes one point.

Follows the idea of Merrell et al. (2007) and of COLMAP (Schönberger et al. 2016, section 4.6): a pixel's
point is projected into the neighbour views; where their maps agree in depth and normal, the observations are
averaged into one point and not used again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ds3d_pipeline.geometry.cameras import unproject_depth
from ds3d_pipeline.geometry.transforms import invert_rigid, transform_points
from ds3d_pipeline.pointcloud.options import FusionOptions
from ds3d_pipeline.programs.jit import EXACT, inline, parallel
from ds3d_pipeline.scene import DepthMap, Float32, Int32, PointCloud, Reconstruction, UInt8, View


def shared_points(reconstruction: Reconstruction) -> Int32:
    """(V, V) number of sparse points that two views both observe; 0 on the diagonal."""
    views = reconstruction.views
    rows = np.concatenate([np.full(len(v.point_ids), i) for i, v in enumerate(views)])
    columns = np.concatenate([v.point_ids for v in views])
    shape = (len(views), len(reconstruction.points_in_world))
    observes = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=shape)
    counts = np.asarray((observes @ observes.T).todense(), dtype=np.int32)
    np.fill_diagonal(counts, 0)
    return counts


def neighbours_of(counts: Int32, view: int, most: int) -> list[int]:
    """Up to `most` views with points in common with this one, those with the most first."""
    order = np.argsort(-counts[view], kind="stable")[:most]
    return [int(other) for other in order if counts[view, other] > 0]


@dataclass(frozen=True, kw_only=True)
class FusionView:
    """One view's map in the world frame, at the map's size."""

    K: Float32
    """(3, 3), pixels of the map."""
    cam_from_world: Float32
    """(4, 4)."""
    depth: Float32
    """(H, W), 0 where nothing is known."""
    points: Float32
    """(H, W, 3) world frame."""
    normals: Float32
    """(H, W, 3) world frame."""
    colors: UInt8
    """(H, W, 3) RGB."""


def fusion_view(view: View, depth_map: DepthMap, colors: UInt8) -> FusionView:
    """The record that `fuse_views` works on; `colors` (H, W, 3) has the map's size."""
    world_from_cam = invert_rigid(view.cam_from_world)
    points_in_cam = unproject_depth(depth_map.K, depth_map.depth)
    return FusionView(
        K=depth_map.K.astype(np.float32),
        cam_from_world=view.cam_from_world.astype(np.float32),
        depth=np.ascontiguousarray(depth_map.depth, np.float32),
        points=transform_points(world_from_cam, points_in_cam).astype(np.float32),
        normals=np.ascontiguousarray(depth_map.normals @ world_from_cam[:3, :3].T, np.float32),
        colors=np.ascontiguousarray(colors),
    )


def fuse_views(
    load: Callable[[int], FusionView],
    neighbours: list[list[int]],
    options: FusionOptions,
    report: Callable[[float], None] = lambda _: None,
) -> PointCloud:
    """Fuses the views 0 to len(neighbours) - 1 in order; `load` may read a view each time it is asked.

    The points are sums over all agreeing views, the normals unit length and towards the cameras.
    """
    used: dict[int, NDArray[np.bool_]] = {}
    clouds: list[PointCloud] = []
    for index, others in enumerate(neighbours):
        clouds.append(_fuse_one(load, index, others[: options.max_neighbours], used, options))
        report((index + 1) / len(neighbours))
    return concatenate(clouds)


def concatenate(clouds: list[PointCloud]) -> PointCloud:
    """All points of several clouds as one."""
    return PointCloud(
        points_in_world=np.concatenate([c.points_in_world for c in clouds]),
        normals=np.concatenate([c.normals for c in clouds]),
        colors=np.concatenate([c.colors for c in clouds]),
    )


def _fuse_one(
    load: Callable[[int], FusionView],
    index: int,
    others: list[int],
    used: dict[int, NDArray[np.bool_]],
    options: FusionOptions,
) -> PointCloud:
    view = load(index)
    free = (view.depth > 0) & ~used.setdefault(index, np.zeros(view.depth.shape, bool))
    sums = np.concatenate([view.points, view.normals, view.colors.astype(np.float32)], axis=2)
    counts, visible_in = np.ones(view.depth.shape, np.int32), np.ones(view.depth.shape, np.int32)
    matches = np.full((len(others), *view.depth.shape), -1, np.int32)
    cosine = float(np.cos(np.radians(options.normal_tolerance_deg)))
    limits = Limits(options.depth_tolerance, options.reprojection_tolerance_px, cosine)
    for slot, other in enumerate(others):
        there = load(other)
        used.setdefault(other, np.zeros(there.depth.shape, bool))
        _match(
            view.points, view.normals, view.K, view.cam_from_world, free,
            there.K, there.cam_from_world, there.depth, there.points, there.normals, there.colors,
            limits, sums, counts, visible_in, matches[slot],
        )  # fmt: skip
    enough = np.minimum(np.maximum(np.ceil(options.min_fraction * visible_in), 2), options.min_views)
    accepted = free & (counts >= enough)
    for slot, other in enumerate(others):
        mine = matches[slot][accepted]
        used[other].reshape(-1)[mine[mine >= 0]] = True
    return _averaged(sums[accepted], counts[accepted])


def _averaged(sums: Float32, counts: NDArray[np.int32]) -> PointCloud:
    mean = (sums / counts[:, None]).astype(np.float32)
    length = np.linalg.norm(mean[:, 3:6], axis=1, keepdims=True)
    return PointCloud(
        points_in_world=np.ascontiguousarray(mean[:, :3]),
        normals=mean[:, 3:6] / np.maximum(length, 1e-12),
        colors=np.clip(np.round(mean[:, 6:]), 0, 255).astype(np.uint8),
    )


class Limits(NamedTuple):
    """What the kernel takes of `FusionOptions`."""

    depth_tolerance: float
    reprojection_tolerance_px: float
    min_cosine: float
    """Of the angle between two normals of one point."""


@parallel(floats=EXACT)
def _match(
    points: Float32,
    normals: Float32,
    K: Float32,
    cam_from_world: Float32,
    free: NDArray[np.bool_],
    other_K: Float32,
    other_cam_from_world: Float32,
    other_depth: Float32,
    other_points: Float32,
    other_normals: Float32,
    other_colors: UInt8,
    limits: Limits,
    sums: Float32,
    counts: NDArray[np.int32],
    visible_in: NDArray[np.int32],
    matches: NDArray[np.int32],
) -> None:
    """Adds what one neighbour sees of each free pixel's point.

    points, normals: (H, W, 3) float32, the view's, world frame. K: (3, 3), cam_from_world: (4, 4) float32.
    free: (H, W) bool, pixels with a depth that no point has used yet.
    other_...: the same of the neighbour, at its size; other_depth: (h, w) float32, 0 where nothing is known;
    other_colors: (h, w, 3) uint8, RGB. limits: what counts as agreement.
    sums: (H, W, 9) float32, added to: position, normal, RGB. counts: (H, W) int32, views that agree.
    visible_in: (H, W) int32, views that see the point unoccluded.
    matches: (H, W) int32, filled with the neighbour's pixel (row-major) that agrees.
    """
    height, width = free.shape
    other_height, other_width = other_depth.shape
    for row in prange(height):
        for column in range(width):
            if not free[row, column]:
                continue
            u, v, z = _project(other_K, other_cam_from_world, points[row, column])
            if z <= 0 or u < 0 or v < 0 or u >= other_width or v >= other_height:
                continue
            there_row, there_column = int(v), int(u)
            there_z = other_depth[there_row, there_column]
            if there_z > 0 and there_z < z * (1 - limits.depth_tolerance):
                continue
            visible_in[row, column] += 1
            if there_z <= 0 or there_z > z * (1 + limits.depth_tolerance):
                continue
            back_u, back_v, back_z = _project(K, cam_from_world, other_points[there_row, there_column])
            error = np.hypot(back_u - column - 0.5, back_v - row - 0.5)
            if back_z <= 0 or error > limits.reprojection_tolerance_px:
                continue
            cosine = 0.0
            for axis in range(3):
                cosine += normals[row, column, axis] * other_normals[there_row, there_column, axis]
            if cosine < limits.min_cosine:
                continue
            for axis in range(3):
                sums[row, column, axis] += other_points[there_row, there_column, axis]
                sums[row, column, 3 + axis] += other_normals[there_row, there_column, axis]
                sums[row, column, 6 + axis] += other_colors[there_row, there_column, axis]
            counts[row, column] += 1
            matches[row, column] = there_row * other_width + there_column


@inline
def _project(K: Float32, cam_from_world: Float32, point: Float32) -> tuple[float, float, float]:
    """Pixel (u, v) and depth of a point in the world; depth of 0 or less behind the camera.

    K: (3, 3), cam_from_world: (4, 4), point: (3,) float32.
    """
    x, y, z = point
    m = cam_from_world
    x_cam = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    y_cam = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    z_cam = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
    if z_cam <= 0:
        return 0.0, 0.0, z_cam
    return K[0, 0] * x_cam / z_cam + K[0, 2], K[1, 1] * y_cam / z_cam + K[1, 2], z_cam
