"""Points on triangle meshes, and distances to them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ds3d_pipeline.scene import Float64, Int32


def sample_surface(
    vertices: ArrayLike, faces: ArrayLike, count: int, random: np.random.Generator
) -> tuple[Float64, Int32]:
    """`count` points (N, 3) spread evenly by area over a mesh, and the face (N,) of each.

    Raises ValueError for a mesh without area.
    """
    corners = np.asarray(vertices, dtype=np.float64)[np.asarray(faces)]
    if corners.ndim != 3 or corners.shape[1:] != (3, 3):
        raise ValueError(f"expected vertices (V, 3) and faces (F, 3), got corners of shape {corners.shape}")
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if not area.sum() > 0:
        raise ValueError("the mesh has no triangle with an area")
    chosen = random.choice(len(corners), size=count, p=area / area.sum()).astype(np.int32)
    # The square root makes the density even over the triangle (Osada et al. 2002).
    root, share = np.sqrt(random.random((count, 1))), random.random((count, 1))
    a, b, c = np.moveaxis(corners[chosen], 1, 0)
    return (1 - root) * a + root * (1 - share) * b + root * share * c, chosen


def distances_to_surface(
    points: ArrayLike, vertices: ArrayLike, faces: ArrayLike, *, samples: int = 200_000, candidates: int = 8
) -> Float64:
    """(N,) distances of points (N, 3) to a mesh: exact distances to candidate triangles, the smallest counts.

    Candidates are the triangles of the nearest among `samples` even samples and all centroids, and the 512
    largest triangles. Where they all miss, the result is too large by less than the other triangles' size.
    """
    points = np.asarray(points, dtype=np.float64)
    corners = np.asarray(vertices, dtype=np.float64)[np.asarray(faces)]
    on_surface, owner = sample_surface(vertices, faces, samples, np.random.default_rng(0))
    centroids = corners.mean(axis=1)
    owners = np.concatenate([owner, np.arange(len(corners))])
    nearest = _nearest(np.concatenate([on_surface, centroids]), points, candidates)
    best = np.full(len(points), np.inf)
    for rank in range(candidates):
        best = np.minimum(best, distances_to_triangles(points, corners[owners[nearest[:, rank]]]))
    radius = np.linalg.norm(corners - centroids[:, None], axis=2).max(axis=1)
    for large in np.argsort(-radius)[:512]:
        closer = np.linalg.norm(points - centroids[large], axis=1) - radius[large] < best
        triangle = np.broadcast_to(corners[large], (int(closer.sum()), 3, 3))
        best[closer] = np.minimum(best[closer], distances_to_triangles(points[closer], triangle))
    return best


def _nearest(known: Float64, points: Float64, count: int) -> NDArray[np.intp]:
    """(N, count) indices of the `known` (M, 3) nearest to each of `points` (N, 3), nearest first."""
    from scipy.spatial import KDTree  # pyright: ignore[reportMissingTypeStubs]

    _, indices = cast(Any, KDTree(known)).query(points, k=count)
    return np.asarray(indices, np.intp)


def distances_to_triangles(points: Float64, corners: Float64) -> Float64:
    """(N,) exact distances of points (N, 3) to one triangle each, corners (N, 3, 3)."""
    a, b, c = np.moveaxis(corners, 1, 0)
    best = np.minimum(_to_segment(points, a, b), _to_segment(points, b, c))
    best = np.minimum(best, _to_segment(points, c, a))
    plane = np.cross(b - a, c - a)
    length = np.linalg.norm(plane, axis=1)
    inside = length > 0
    for start, end in ((a, b), (b, c), (c, a)):
        inside &= np.einsum("ij,ij->i", np.cross(end - start, points - start), plane) >= 0
    height = np.abs(np.einsum("ij,ij->i", points - a, plane)) / np.where(length > 0, length, 1)
    return np.where(inside, height, best)


def _to_segment(points: Float64, start: Float64, end: Float64) -> Float64:
    along = end - start
    squared = np.einsum("ij,ij->i", along, along)
    share = np.einsum("ij,ij->i", points - start, along) / np.where(squared > 0, squared, 1)
    return np.linalg.norm(points - start - np.clip(share, 0, 1)[:, None] * along, axis=1)
