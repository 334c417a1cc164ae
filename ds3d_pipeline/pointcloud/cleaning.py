"""Clouds made fit for use: outliers out, evenly thinned, sparse points given normals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ds3d_pipeline.scene import Float64, PointCloud, Reconstruction


def select(cloud: PointCloud, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> PointCloud:
    """The chosen points, by mask or index."""
    return PointCloud(
        points_in_world=cloud.points_in_world[chosen],
        normals=cloud.normals[chosen],
        colors=cloud.colors[chosen],
    )


def neighbour_distances(cloud: PointCloud, neighbours: int = 8) -> Float64:
    """(N,) mean distance of each point to its nearest neighbours; infinite for a single point."""
    if len(cloud.points_in_world) < 2:
        return np.full(len(cloud.points_in_world), np.inf)
    most = min(neighbours + 1, len(cloud.points_in_world))
    distances, _ = KDTree(cloud.points_in_world).query(cloud.points_in_world, k=most, workers=-1)
    return np.asarray(distances)[:, 1:].mean(axis=1)


def without_outliers(cloud: PointCloud, camera_centres: Float64, strength: float = 4.0) -> PointCloud:
    """Drops points whose neighbours are unusually far for their distance from the nearest camera.

    Statistical outlier removal (Rusu et al. 2008), with the spacing divided by that distance first, since
    far surfaces are sampled more thinly; robust through the median and the median absolute deviation.
    """
    if len(cloud.points_in_world) < 10:
        return cloud
    distance, _ = KDTree(camera_centres).query(cloud.points_in_world)
    spacing = np.log(neighbour_distances(cloud) / np.maximum(distance, 1e-12) + 1e-12)
    middle = np.median(spacing)
    spread = 1.4826 * np.median(np.abs(spacing - middle))
    return select(cloud, spacing <= middle + strength * max(float(spread), 0.1))


def thinned(cloud: PointCloud, max_points: int, seed: int = 0) -> PointCloud:
    """At most `max_points` points: one from each cell of a grid, the cell grown until few enough are left.

    Where points crowd they are thinned first, and lonely ones stay; the point kept is the cell's first in a
    random order.
    """
    points = cloud.points_in_world
    if len(points) <= max_points:
        return cloud
    order = np.random.default_rng(seed).permutation(len(points))
    low, high = np.percentile(points, [1, 99], axis=0)
    cell = float(np.linalg.norm(high - low)) / (2 * np.sqrt(max_points))
    chosen = order
    while len(chosen) > max_points:
        keys = np.floor((points[order] - low) / cell).astype(np.int64)
        _, first = np.unique(_hashed(keys), return_index=True)
        chosen = order[np.sort(first)]
        cell *= max(1.1, np.sqrt(len(chosen) / max_points))
    return select(cloud, chosen)


def _hashed(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number a cell; a collision (one in 10^13) would merely thin by one point more."""
    return keys[:, 0] * 73856093 + (keys[:, 1] << 21) * 19349663 + (keys[:, 2] << 42) + keys[:, 2] * 83492791


def sparse_cloud(
    reconstruction: Reconstruction, max_error_px: float = 2.0, neighbours: int = 16
) -> PointCloud:
    """The well-measured sparse points, with normals of the plane through their neighbours.

    The normal is turned towards the mean direction to the observing cameras, and is that direction where
    fewer than 6 points are there to make a plane.
    """
    towards = _towards_cameras(reconstruction)
    good = (reconstruction.errors_px <= max_error_px) & (reconstruction.track_lengths >= 2)
    points, towards = reconstruction.points_in_world[good], towards[good]
    normals = _plane_normals(points, neighbours) if len(points) >= 6 else towards
    flip = np.sum(normals * towards, axis=1) < 0
    cloud = PointCloud(
        points_in_world=points.astype(np.float32),
        normals=np.where(flip[:, None], -normals, normals).astype(np.float32),
        colors=reconstruction.colors[good],
    )
    return without_outliers(cloud, np.array([v.centre_in_world for v in reconstruction.views]))


def _towards_cameras(reconstruction: Reconstruction) -> Float64:
    total = np.zeros_like(reconstruction.points_in_world)
    for view in reconstruction.views:
        rays = view.centre_in_world - reconstruction.points_in_world[view.point_ids]
        total[view.point_ids] += rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _plane_normals(points: Float64, neighbours: int) -> Float64:
    _, ids = KDTree(points).query(points, k=min(neighbours, len(points)), workers=-1)
    around = points[np.asarray(ids)]
    centred = around - around.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(np.einsum("nki,nkj->nij", centred, centred))
    return vectors[:, :, 0]
