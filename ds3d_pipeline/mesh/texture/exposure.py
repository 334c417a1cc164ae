"""One exposure for all photos: gains from what pairs of photos see in common.

A global solution for all pairs (Brown and Lowe 2007, section 6, in logarithms), with the median over the
common surface in place of the mean, so that highlights and wrong geometry do not count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ds3d_pipeline.mesh.adjacency import vertex_graph
from ds3d_pipeline.scene import Float32, Float64, Mesh, UInt8


def spread(mesh: Mesh, colors: Float32, known: NDArray[np.bool_], *, smoothing: int = 10) -> Float32:
    """(N, 3) colours: the known ones as they are, the others averaged ring by ring from their neighbours.

    Vertices with no way along edges to a known one take the nearest known one's. Raises ValueError where
    no colour is known.
    """
    if not known.any():
        raise ValueError("no vertex has a known colour")
    graph = vertex_graph(mesh.faces, len(colors))
    found, reached = np.where(known[:, None], colors, 0).astype(np.float32), known.copy()
    while True:
        weight = graph @ reached.astype(np.float32)
        fresh = ~reached & (weight > 0)
        if not fresh.any():
            break
        found[fresh] = (graph[fresh] @ found) / weight[fresh, None]
        reached |= fresh
    if not reached.all():
        _, nearest = KDTree(mesh.vertices_in_world[reached]).query(mesh.vertices_in_world[~reached])
        found[~reached] = found[reached][nearest]
    for _ in range(smoothing):
        found[~known] = (graph[~known] @ found) if (~known).any() else found[~known]
    return found


MAX_SAMPLES = 8000
MIN_COMMON = 30
DARKEST, BRIGHTEST = 10, 245
"""Outside these a colour is clipped and does not depend on exposure."""


def exposure_gains(quality: Float32, colors: UInt8, *, strongest: float = 2.0) -> Float64:
    """(V, 3) factors that bring the photos to one exposure, their geometric mean 1.

    `quality` (V, N) is positive where view V sees vertex N in `colors` (V, N, 3).
    """
    chosen = _sample(quality.shape[1])
    seen, values = quality[:, chosen] > 0, colors[:, chosen]
    gains = np.ones((len(quality), 3))
    for channel in range(3):
        value = values[..., channel].astype(np.float32)
        usable = seen & (value >= DARKEST) & (value <= BRIGHTEST)
        logs = levels(np.log(np.maximum(value, 1)), usable)
        gains[:, channel] = np.exp(np.clip(-logs, -np.log(strongest), np.log(strongest)))
    return gains


def sharpness(quality: Float32, detail: Float32, *, least: float = 0.1) -> Float64:
    """(V,) in (0, 1]: how much detail each photo has of what others show too, the sharpest 1."""
    chosen = _sample(quality.shape[1])
    usable = (quality[:, chosen] > 0) & (detail[:, chosen] > 1)
    logs = levels(np.log(np.maximum(detail[:, chosen], 1e-3)), usable)
    return np.maximum(np.exp(logs - logs.max()), least).astype(np.float64)


def levels(logs: Float32, usable: np.ndarray) -> Float64:
    """(V,) offsets l, mean 0, such that l_u - l_v is the median difference of `logs` (V, N) of u and v.

    Least squares over all pairs with at least `MIN_COMMON` usable columns in common, weighted by how many;
    views without a partner get 0.
    """
    count = len(logs)
    normal, target = np.eye(count) * 1e-3, np.zeros(count)
    for first in range(count):
        for second in range(first + 1, count):
            common = usable[first] & usable[second]
            count_common = int(common.sum())
            if count_common < MIN_COMMON:
                continue
            difference = float(np.median(logs[first, common] - logs[second, common]))
            weight = np.sqrt(count_common)
            normal[[first, second], [first, second]] += weight
            normal[[first, second], [second, first]] -= weight
            target[[first, second]] += weight * difference * np.array([1, -1])
    return np.linalg.solve(normal, target).astype(np.float64)


def _sample(count: int) -> np.ndarray:
    if count <= MAX_SAMPLES:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MAX_SAMPLES, replace=False))
