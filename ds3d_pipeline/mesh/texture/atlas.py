"""The atlas: charts laid out in one square texture, and which texel belongs to which face."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ds3d_pipeline.mesh.adjacency import same_label_components
from ds3d_pipeline.mesh.texture.charts import Projections
from ds3d_pipeline.mesh.texture.packing import pack
from ds3d_pipeline.programs.jit import EXACT, parallel, serial
from ds3d_pipeline.scene import Float32, Float64, Int32, Mesh

PADDING = 3
"""Empty texels on every side of a chart: twice this parts neighbours, which two mip levels keep apart."""
RING = 2
"""Texels around a chart that get colours of their own, for bilinear filtering at its border."""
ENOUGH_SCALE, MAX_SCALE = 1.0, 1.25
"""Texels per photo pixel: with the first nothing is lost, so a smaller texture will do if it reaches that;
beyond the second the photos would only be enlarged."""
MIN_SIDE = 256
SHRINK = 0.96
MAX_FOLDED = 0.2
FOLD_ROUNDS = 3
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Atlas:
    """Where every face is in the texture."""

    side: int
    scale: float
    """Texels per photo pixel."""
    charts: Int32
    """(F,) chart of each face."""
    corners_xy: Float32
    """(F, 3, 2) texels, origin at the upper left corner."""
    face_of_texel: Int32
    """(side, side), -1 where there is none."""

    @property
    def filled(self) -> float:
        """The fraction of texels that belong to a face."""
        return float((self.face_of_texel >= 0).mean())


def lay_out(mesh: Mesh, labels: Int32, ways: Projections, pairs: Int32, max_side: int) -> Atlas:
    """Charts of neighbouring faces with one label, as large as fits into a texture of `max_side`.

    Faces that fold over their own chart are parted from it, so that no texel belongs to two faces. Raises
    ValueError if even the smallest scale does not fit: too many charts for the texture.
    """
    labels = labels.copy()
    for attempt in range(FOLD_ROUNDS):
        charts = same_label_components(pairs, labels)
        corners, scale, side = _laid_out(mesh, labels % len(ways), charts, ways, max_side)
        faces = np.full((side, side), -1, np.int32)
        total, lost = np.zeros(len(charts), np.int32), np.zeros(len(charts), np.int32)
        _claim(corners, _front_first(mesh, labels % len(ways), ways), faces, total, lost)
        folded = (lost >= 2) & (lost > MAX_FOLDED * total)
        log.info("%d charts at scale %.3f, %d faces folded", charts.max() + 1, scale, folded.sum())
        if not folded.any() or attempt == FOLD_ROUNDS - 1:
            break
        # Another label of the same projection: the folded faces become charts of their own.
        labels[folded] += len(ways)
    _claim_small(corners, faces)
    for _ in range(RING):
        faces = _grown(faces)
    return Atlas(side=side, scale=scale, charts=charts, corners_xy=corners, face_of_texel=faces)


def with_uvs(mesh: Mesh, atlas: Atlas) -> Mesh:
    """The mesh with texture coordinates; vertices on the borders of charts are doubled."""
    count = len(mesh.vertices_in_world)
    keys = atlas.charts[:, None].astype(np.int64) * count + mesh.faces
    found, first, faces = np.unique(keys.reshape(-1), return_index=True, return_inverse=True)
    uvs = atlas.corners_xy.reshape(-1, 2)[first] / atlas.side
    return replace(
        mesh,
        vertices_in_world=mesh.vertices_in_world[found % count],
        faces=faces.reshape(-1, 3).astype(np.int32),
        vertex_colors=None,
        uvs=np.stack([uvs[:, 0], 1 - uvs[:, 1]], axis=1).astype(np.float32),
    )


def _laid_out(
    mesh: Mesh, labels: Int32, charts: Int32, ways: Projections, max_side: int
) -> tuple[Float32, float, int]:
    """(F, 3, 2) corners in texels, the scale, and the texture's side: halved while nothing is lost."""
    flat = _flattened(mesh, labels, ways)
    low, high = _bounds(charts, flat)
    side = max_side
    while side // 2 >= MIN_SIDE and _packed(low, high, ENOUGH_SCALE, side // 2) is not None:
        side //= 2
    area = float(np.prod(np.maximum(high - low, 1), axis=1).sum())
    scale = min(MAX_SCALE, 1.1 * side / np.sqrt(area), 0.98 * side / float((high - low).max()))
    while scale > 1e-4:
        shift = _packed(low, high, scale, side)
        if shift is not None:
            return (flat * scale + shift[charts][:, None, :]).astype(np.float32), float(scale), side
        scale *= SHRINK
    raise ValueError(f"{len(low)} charts do not fit into a texture of {side} x {side}")


def _packed(low: Float64, high: Float64, scale: float, side: int) -> NDArray[np.int64] | None:
    """(C, 2) shift of each chart in texels, or None where they do not fit.

    Shifts are whole, so at scale 1 texels match pixels.
    """
    origin = np.floor(low * scale).astype(np.int64)
    sizes = (np.ceil(high * scale).astype(np.int64) - origin + 2 * PADDING).astype(np.int32)
    places = pack(sizes, side)
    return None if places is None else places + PADDING - origin


def _flattened(mesh: Mesh, labels: Int32, ways: Projections) -> Float64:
    flat = np.zeros((len(mesh.faces), 3, 2))
    for label in np.unique(labels):
        chosen = labels == label
        corners = mesh.vertices_in_world[mesh.faces[chosen]].reshape(-1, 3)
        flat[chosen] = ways.flatten(int(label), corners).reshape(-1, 3, 2)
    return flat


def _bounds(charts: Int32, flat: Float64) -> tuple[Float64, Float64]:
    """(C, 2) least and largest coordinates of each chart."""
    order = np.argsort(charts, kind="stable")
    starts = np.flatnonzero(np.diff(charts[order], prepend=-1))
    low = np.minimum.reduceat(flat.min(axis=1)[order], starts)
    return low, np.maximum.reduceat(flat.max(axis=1)[order], starts)


def _front_first(mesh: Mesh, labels: Int32, ways: Projections) -> Float32:
    """(F,) rank of each face where it competes with others of its chart for a texel: larger wins."""
    centres = mesh.vertices_in_world[mesh.faces].mean(axis=1)
    rank = np.zeros(len(labels), np.float32)
    for label, view in enumerate(ways.views):
        chosen = labels == label
        depth = centres[chosen] @ view.cam_from_world[2, :3] + view.cam_from_world[2, 3]
        rank[chosen] = 1 / np.maximum(depth, 1e-9)
    return rank


@serial(floats=EXACT)
def _claim(corners: Float32, ranks: Float32, faces: Int32, total: Int32, lost: Int32) -> None:
    """Gives each texel whose centre a face covers to the covering face of the highest rank.

    corners (F, 3, 2) in texels; ranks (F,); faces (side, side) is the owner of each texel, -1 free. total and
    lost (F,) count the texels that each face covers and that it lost to others.
    """
    side = faces.shape[0]
    for face in range(len(corners)):
        (ax, ay), (bx, by), (cx, cy) = corners[face, 0], corners[face, 1], corners[face, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        top = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        bottom = min(side, int(np.floor(max(ay, by, cy) - 0.5)) + 1)
        left = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        right = min(side, int(np.floor(max(ax, bx, cx) - 0.5)) + 1)
        for row in range(top, bottom):
            y = row + 0.5
            for column in range(left, right):
                x = column + 0.5
                wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                if wa < 0 or wb < 0 or wa + wb > 1:
                    continue
                total[face] += 1
                owner = faces[row, column]
                if owner < 0:
                    faces[row, column] = face
                elif ranks[face] > ranks[owner]:
                    lost[owner] += 1
                    faces[row, column] = face
                else:
                    lost[face] += 1


@serial(floats=EXACT)
def _claim_small(corners: Float32, faces: Int32) -> None:
    """Faces too small or thin to cover a texel's centre get the free texels at their corners and middle.

    corners (F, 3, 2) in texels; faces (side, side) is the owner of each texel, -1 free.
    """
    side = faces.shape[0]
    for face in range(len(corners)):
        middle_x = (corners[face, 0, 0] + corners[face, 1, 0] + corners[face, 2, 0]) / 3
        middle_y = (corners[face, 0, 1] + corners[face, 1, 1] + corners[face, 2, 1]) / 3
        for corner in range(4):
            x = middle_x if corner == 3 else corners[face, corner, 0]
            y = middle_y if corner == 3 else corners[face, corner, 1]
            row, column = min(side - 1, max(0, int(y))), min(side - 1, max(0, int(x)))
            if faces[row, column] < 0:
                faces[row, column] = face


@parallel(floats=EXACT)
def _grown(faces: Int32) -> Int32:
    """Every free texel beside an owned one goes to that one's face; faces (side, side), -1 free."""
    side = faces.shape[0]
    grown = faces.copy()
    for row in prange(side):
        for column in range(side):
            if faces[row, column] >= 0:
                continue
            for down, right in ((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)):
                y, x = row + down, column + right
                if 0 <= y < side and 0 <= x < side and faces[y, x] >= 0:
                    grown[row, column] = faces[y, x]
                    break
    return grown
