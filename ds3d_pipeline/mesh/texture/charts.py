"""A mesh cut into charts, each flattened by projection into the photo that sees it best.

As in Lempitsky and Ivanov (2007) and Waechter et al. (2014) faces are labelled with views, smoothly: the
texels of a chart then match the pixels of its photo, and flattening takes no optimisation. (xatlas needed
more than a minute of CPU for 400,000 faces of a Poisson surface.) The labels only lay out the atlas: colours
are blended over all photos, so a label may also be a view that does not see the face, or an axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.geometry.transforms import transform_points
from ds3d_pipeline.mesh.adjacency import neighbour_lists, same_label_components, vertex_graph
from ds3d_pipeline.programs.jit import EXACT, serial
from ds3d_pipeline.scene import Float32, Float64, Int32, Mesh, View

CANDIDATES = 8
SMOOTHNESS = 0.6
"""By what fraction of the best quality a view must be better to set a face apart from its neighbours."""
SWEEPS = 12
MIN_COSINE = 0.2
SMALL_CHART = 24
UNSEEN = np.float32(1e-3)
"""Weight of a view's geometry where it does not see the face, against where it does."""


@dataclass(frozen=True, kw_only=True)
class Projections:
    """All ways to flatten: the views, then both directions of the three axes."""

    views: Sequence[View]
    texels_per_unit: float
    """Scale of the axes' parallel projections."""

    def __len__(self) -> int:
        return len(self.views) + 6

    def flatten(self, index: int, points: NDArray[np.floating]) -> Float64:
        """(N, 2) positions in photo pixels."""
        if index < len(self.views):
            view = self.views[index]
            cam = transform_points(view.cam_from_world, points)
            flat = cam[:, :2] / cam[:, 2:] * view.K[[0, 1], [0, 1]] + view.K[:2, 2]
            return flat.astype(np.float64)
        axes, sign = _axes(index - len(self.views))
        flat = np.stack([points[:, axes[0]] * sign, points[:, axes[1]]], axis=1).astype(np.float64)
        return flat * self.texels_per_unit

    def densities(self, index: int, corners: Float64, normals: Float64) -> Float32:
        """(F,) pixels per area of faces with corners (F, 3, 3); 0 where seen from behind or too flat."""
        if index >= len(self.views):
            axes, sign = _axes(index - len(self.views))
            cosine = -sign * normals @ np.cross(np.eye(3)[axes[0]], np.eye(3)[axes[1]])
            return np.where(cosine > MIN_COSINE, cosine * self.texels_per_unit**2, 0).astype(np.float32)
        view = self.views[index]
        nearest = (corners @ view.cam_from_world[2, :3]).min(axis=1) + view.cam_from_world[2, 3]
        rays = corners.mean(axis=1) - view.centre_in_world
        distance = np.linalg.norm(rays, axis=1)
        cosine = -np.sum(rays * normals, axis=1) / np.maximum(distance, 1e-12)
        good = (cosine > MIN_COSINE) & (nearest > 0.2 * distance)
        density = view.K[0, 0] * view.K[1, 1] * cosine / np.maximum(distance, 1e-12) ** 2
        return np.where(good, density, 0).astype(np.float32)


def _axes(index: int) -> tuple[tuple[int, int], float]:
    axis, sign = index // 2, 1.0 if index % 2 else -1.0
    return ((axis + 1) % 3, (axis + 2) % 3), sign


def projections(mesh: Mesh, views: Sequence[View]) -> Projections:
    """The views and the axes; parallel projections get the views' median resolution of the surface."""
    corners, normals = _corners_and_normals(mesh)
    step = max(1, len(corners) // 2000)
    some = Projections(views=views, texels_per_unit=1.0)
    best = np.max([some.densities(i, corners[::step], normals[::step]) for i in range(len(views))], axis=0)
    seen = best[best > 0]
    return Projections(views=views, texels_per_unit=float(np.sqrt(np.median(seen))) if len(seen) else 1.0)


def chart_labels(mesh: Mesh, quality: Float32, ways: Projections, pairs: Int32) -> Int32:
    """(F,) the projection that flattens each face; `quality` (V, N) is each view's at each vertex."""
    candidates, scores = _candidates(mesh, quality, ways)
    starts, members = neighbour_lists(pairs, len(mesh.faces))
    slots = np.zeros(len(mesh.faces), np.int32)
    _smooth(candidates, scores, starts, members, slots, SMOOTHNESS / 3, SWEEPS)
    labels = candidates[np.arange(len(slots)), slots]
    corners, normals = _corners_and_normals(mesh)
    for _ in range(3):
        labels = _merge_small(labels, corners, normals, ways, pairs)
    return labels


def _candidates(mesh: Mesh, quality: Float32, ways: Projections) -> tuple[Int32, Float32]:
    """(F, K) best projections of each face, best first, and their scores, the best 1."""
    corners, normals = _corners_and_normals(mesh)
    average = vertex_graph(mesh.faces, len(mesh.vertices_in_world))
    found = np.zeros((len(mesh.faces), CANDIDATES), np.int32)
    scores = np.full((len(mesh.faces), CANDIDATES), -1, np.float32)
    rows = np.arange(len(mesh.faces))
    for index in range(len(ways)):
        score = UNSEEN * ways.densities(index, corners, normals)
        if index < len(ways.views):
            seen = (quality[index][mesh.faces] > 0).all(axis=1) & (score > 0)
            smooth = average @ (average @ quality[index])
            score += np.where(seen, smooth[mesh.faces].min(axis=1), 0)
        else:
            score *= UNSEEN
        worst = scores.argmin(axis=1)
        better = score > scores[rows, worst]
        found[rows[better], worst[better]], scores[rows[better], worst[better]] = index, score[better]
    order = np.argsort(-scores, axis=1)
    found, scores = np.take_along_axis(found, order, 1), np.take_along_axis(scores, order, 1)
    # A face with no area can be seen from nowhere; any label will do.
    return found, np.where(scores > 0, scores / np.maximum(scores[:, :1], 1e-30), -9)


@serial(floats=EXACT)
def _smooth(
    candidates: Int32,
    scores: Float32,
    starts: Int32,
    members: Int32,
    slots: Int32,
    smoothness: float,
    sweeps: int,
) -> None:
    """Iterated conditional modes (Besag 1986): score plus `smoothness` for each neighbour of that label.

    candidates (F, K): labels that each face may have, with their scores (F, K). The neighbours of face f are
    members[starts[f] : starts[f + 1]]. slots (F,), changed in place: which candidate each face has. At most
    `sweeps` passes over all faces.
    """
    for _ in range(sweeps):
        changed = 0
        for face in range(len(slots)):
            best, best_score = slots[face], -1e9
            for slot in range(candidates.shape[1]):
                score = scores[face, slot]
                for k in range(starts[face], starts[face + 1]):
                    other = members[k]
                    if candidates[other, slots[other]] == candidates[face, slot]:
                        score += smoothness
                if score > best_score:
                    best, best_score = slot, score
            if best != slots[face]:
                slots[face] = best
                changed += 1
        if changed == 0:
            break


def _merge_small(labels: Int32, corners: Float64, normals: Float64, ways: Projections, pairs: Int32) -> Int32:
    """Gives charts of a few faces to the neighbour with the longest common border that can flatten them."""
    charts = same_label_components(pairs, labels)
    sizes = np.bincount(charts)
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    cut = (charts[ends[:, 0]] != charts[ends[:, 1]]) & (sizes[charts[ends[:, 0]]] < SMALL_CHART)
    keys, counts = np.unique(
        charts[ends[cut, 0]].astype(np.int64) * len(ways) + labels[ends[cut, 1]], return_counts=True
    )
    fits = _fits(keys, charts, corners, normals, ways)
    chart, label = np.divmod(keys[fits], len(ways))
    order = np.argsort(counts[fits], kind="stable")
    given = np.full(len(sizes), -1, np.int32)
    given[chart[order]] = label[order]
    return np.where(given[charts] >= 0, given[charts], labels).astype(np.int32)


def _fits(
    keys: NDArray[np.int64], charts: Int32, corners: Float64, normals: Float64, ways: Projections
) -> NDArray[np.bool_]:
    """Whether each (chart, label) pair's label can flatten every face of the chart."""
    fits = np.zeros(len(keys), bool)
    for label in np.unique(keys % len(ways)):
        asked = np.flatnonzero(keys % len(ways) == label)
        wanted = np.isin(charts, keys[asked] // len(ways))
        unfit = ways.densities(int(label), corners[wanted], normals[wanted]) <= 0
        fits[asked] = ~np.isin(keys[asked] // len(ways), charts[wanted][unfit])
    return fits


def _corners_and_normals(mesh: Mesh) -> tuple[Float64, Float64]:
    corners = mesh.vertices_in_world[mesh.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return corners, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
