"""The texture baked: every texel blended from all photos that see it.

Two bands, as in Burt and Adelson (1983) and for textures Baumberg (2002): coarse colour from all photos, so
that no seam shows where one photo ends, detail almost only from the best, so that small errors of
registration do not blur it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numba import prange

from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.geometry.cameras import K_scaled
from ds3d_pipeline.geometry.transforms import transform_points
from ds3d_pipeline.mesh.options import BakeOptions
from ds3d_pipeline.mesh.texture.atlas import Atlas
from ds3d_pipeline.mesh.texture.push_pull import push_pull
from ds3d_pipeline.mesh.texture.view_quality import VisibilityMap
from ds3d_pipeline.programs.jit import EXACT, inline, parallel
from ds3d_pipeline.scene import Float32, Float64, Int32, Mesh, UInt8, View


@dataclass(frozen=True, kw_only=True)
class BakeView:
    """One photo, ready to be sampled."""

    corners_in_cam: Float32
    """(N, 3) the mesh's vertices in the camera frame."""
    weights: Float32
    """(N,) at the vertices, the best photo's 1."""
    K: Float64
    """(3, 3), pixels of `photo`."""
    photo: Float32
    """(H, W, 3) with exposure compensation."""
    coarse: Float32
    """(H, W, 3) the same, blurred."""
    visibility: VisibilityMap
    visibility_scale: float
    """Pixels of the visibility map per pixel of `photo`."""


def bake(
    mesh: Mesh,
    atlas: Atlas,
    views: Sequence[View],
    photos: Path,
    visibility_maps: Sequence[VisibilityMap],
    weights: Float32,
    gains: Float64,
    vertex_colors: Float32,
    options: BakeOptions,
    report: Callable[[float], None] = lambda _: None,
) -> tuple[UInt8, float]:
    """(side, side, 3) RGB, and the fraction of the texels that a photo shows.

    `weights` (V, N) are the photos' at the vertices, `gains` (V, 3) compensate their exposure, and
    `vertex_colors` (N, 3) are used where no photo shows a texel.
    """
    texels = np.flatnonzero(atlas.face_of_texel.reshape(-1) >= 0).astype(np.int32)
    owners = atlas.face_of_texel.reshape(-1)[texels]
    sums = np.zeros((len(texels), 8), np.float32)
    for index, view in enumerate(views):
        scale = min(1.0, atlas.scale)
        ready = _ready(
            mesh, view, photos, visibility_maps[index], weights[index], gains[index], scale, options
        )
        useful = (ready.weights > options.min_weight)[mesh.faces].max(axis=1)
        if useful.any():
            _gather(ready, mesh.faces, atlas, texels, owners, useful, sums, options)
        report((index + 1) / len(views))
    texture = np.zeros((atlas.side * atlas.side, 3), np.uint8)
    _finish(sums, texels, owners, mesh.faces, atlas.corners_xy, vertex_colors, texture, atlas.side)
    shown = float((sums[:, 3] > 0).mean()) if len(sums) else 0.0
    return push_pull(texture.reshape(atlas.side, atlas.side, 3), atlas.face_of_texel >= 0), shown


def _ready(
    mesh: Mesh,
    view: View,
    photos: Path,
    visibility: VisibilityMap,
    weights: Float32,
    gains: Float64,
    scale: float,
    options: BakeOptions,
) -> BakeView:
    """Photos are reduced to the texture's resolution first, so that no texel skips a pixel."""
    width, height = view.image_size_wh
    size_wh = (max(2, round(width * scale)), max(2, round(height * scale)))
    photo = read_rgb(photos / view.image, size_wh=size_wh).astype(np.float32) * gains.astype(np.float32)
    sigma = max(0.5, options.coarse_fraction * max(size_wh))
    return BakeView(
        corners_in_cam=transform_points(view.cam_from_world, mesh.vertices_in_world).astype(np.float32),
        weights=np.ascontiguousarray(weights),
        K=K_scaled(view.K, scale),
        photo=np.ascontiguousarray(photo),
        coarse=cv2.GaussianBlur(photo, (0, 0), sigma).astype(np.float32),
        visibility=visibility,
        visibility_scale=visibility.scale / scale,
    )


def _gather(
    ready: BakeView,
    faces: Int32,
    atlas: Atlas,
    texels: Int32,
    owners: Int32,
    useful: np.ndarray,
    sums: Float32,
    options: BakeOptions,
) -> None:
    (fx, _, cx), (_, fy, cy), _ = ready.K.astype(np.float32)
    knobs = Knobs(
        visibility_scale=np.float32(ready.visibility_scale),
        depth_slack=np.float32(options.depth_slack),
        least_weight=np.float32(options.min_weight),
        coarse_power=np.float32(options.coarse_power),
        detail_power=np.float32(options.detail_power),
    )
    _accumulate(
        texels, owners, useful, atlas.side, atlas.corners_xy, faces, ready.corners_in_cam, ready.weights,
        Pinhole(fx, fy, cx, cy), ready.photo, ready.coarse, ready.visibility.depth, ready.visibility.trust,
        knobs, sums,
    )  # fmt: skip


class Pinhole(NamedTuple):
    """A camera's focal lengths and principal point in pixels of the photo, float32."""

    fx: np.float32
    fy: np.float32
    cx: np.float32
    cy: np.float32


class Knobs(NamedTuple):
    """What the kernel takes of `BakeView` and `BakeOptions`, float32."""

    visibility_scale: np.float32
    depth_slack: np.float32
    least_weight: np.float32
    coarse_power: np.float32
    detail_power: np.float32


@inline
def _barycentrics(corners: Float32, x: float, y: float) -> tuple[float, float, float]:
    """Weights of a triangle's corners (3, 2) at a point, not below 0 outside of it.

    corners: float32, pixels. x, y: the point, pixels.
    """
    ax, ay = corners[0, 0], corners[0, 1]
    ux, uy, vx, vy = corners[1, 0] - ax, corners[1, 1] - ay, corners[2, 0] - ax, corners[2, 1] - ay
    area = ux * vy - uy * vx
    if abs(area) < 1e-9:
        return 1 / 3, 1 / 3, 1 / 3
    b = ((x - ax) * vy - (y - ay) * vx) / area
    c = (ux * (y - ay) - uy * (x - ax)) / area
    a = max(0.0, 1 - b - c)
    b, c = max(0.0, b), max(0.0, c)
    total = a + b + c
    return a / total, b / total, c / total


@parallel
def _accumulate(
    texels: Int32,
    owners: Int32,
    useful: np.ndarray,
    side: int,
    corners_xy: Float32,
    faces: Int32,
    corners_in_cam: Float32,
    weights: Float32,
    camera: Pinhole,
    photo: Float32,
    coarse: Float32,
    depth: Float32,
    trust: Float32,
    knobs: Knobs,
    sums: Float32,
) -> None:
    """Adds one photo to the sums of the texels that it shows.

    texels: (T,) int32, places in the flat texture. owners: (T,) int32, face of each texel.
    useful: (F,) bool, faces that the photo is good for. side: of the texture, texels.
    corners_xy: (F, 3, 2) float32, of the faces in the texture, texels. faces: (F, 3) int32, vertices.
    corners_in_cam: (N, 3) float32, vertices in the camera frame, scene units.
    weights: (N,) float32, the photo's at the vertices. camera, knobs: see there.
    photo, coarse: (H, W, 3) float32 in 0 to 255, the photo and the same blurred.
    depth: (h, w) float32, nearest surface, scene units. trust: (h, w) float32 in [0, 1].
    sums: (T, 8) float32, added to: coarse colour, its weight, detail, its weight.
    """
    height, width = photo.shape[:2]
    for k in prange(len(texels)):
        face = owners[k]
        if not useful[face]:
            continue
        a, b, c = _barycentrics(corners_xy[face], texels[k] % side + 0.5, texels[k] // side + 0.5)
        i, j, m = faces[face]
        weight = a * weights[i] + b * weights[j] + c * weights[m]
        if weight <= knobs.least_weight:
            continue
        z = a * corners_in_cam[i, 2] + b * corners_in_cam[j, 2] + c * corners_in_cam[m, 2]
        if z <= 0:
            continue
        u = camera.fx * (a * corners_in_cam[i, 0] + b * corners_in_cam[j, 0] + c * corners_in_cam[m, 0]) / z
        v = camera.fy * (a * corners_in_cam[i, 1] + b * corners_in_cam[j, 1] + c * corners_in_cam[m, 1]) / z
        u, v = u + camera.cx, v + camera.cy
        if u < 0.5 or v < 0.5 or u >= width - 0.5 or v >= height - 0.5:
            continue
        row = min(depth.shape[0] - 1, max(0, int(v * knobs.visibility_scale - 0.5)))
        column = min(depth.shape[1] - 1, max(0, int(u * knobs.visibility_scale - 0.5)))
        if z > depth[row, column] * (1 + knobs.depth_slack):
            continue
        weight = (weight - knobs.least_weight) * trust[row, column]
        coarse_weight = weight**knobs.coarse_power
        detail_weight = weight**knobs.detail_power + np.float32(1e-12)
        x, y = int(u - 0.5), int(v - 0.5)
        right, down = u - 0.5 - x, v - 0.5 - y
        x2, y2 = min(x + 1, width - 1), min(y + 1, height - 1)
        for channel in range(3):
            sharp = (1 - down) * (
                (1 - right) * photo[y, x, channel] + right * photo[y, x2, channel]
            ) + down * ((1 - right) * photo[y2, x, channel] + right * photo[y2, x2, channel])
            smooth = coarse[y, x, channel]
            sums[k, channel] += coarse_weight * smooth
            sums[k, 4 + channel] += detail_weight * (sharp - smooth)
        sums[k, 3] += coarse_weight
        sums[k, 7] += detail_weight


@parallel(floats=EXACT)
def _finish(
    sums: Float32,
    texels: Int32,
    owners: Int32,
    faces: Int32,
    corners_xy: Float32,
    vertex_colors: Float32,
    texture: UInt8,
    side: int,
) -> None:
    """Colours from the sums; between the vertices' colours where no photo shows the texel.

    sums, texels, owners, faces, corners_xy, side: as `_accumulate` had and filled them.
    vertex_colors: (N, 3), RGB in 0 to 255. texture: (side^2, 3) uint8, filled at the texels.
    """
    for k in prange(len(texels)):
        face = owners[k]
        a, b, c = _barycentrics(corners_xy[face], texels[k] % side + 0.5, texels[k] // side + 0.5)
        for channel in range(3):
            if sums[k, 3] > 0:
                color = sums[k, channel] / sums[k, 3] + sums[k, 4 + channel] / sums[k, 7]
            else:
                color = (
                    a * vertex_colors[faces[face, 0], channel]
                    + b * vertex_colors[faces[face, 1], channel]
                    + c * vertex_colors[faces[face, 2], channel]
                )
            texture[texels[k], channel] = np.uint8(min(255.0, max(0.0, color + 0.5)))
