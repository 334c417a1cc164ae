"""The texture baked: every texel blended from all photos that see it.

Two bands, as in Burt and Adelson (1983) and for textures Baumberg (2002): coarse colour from all photos, so
that no seam shows where one photo ends, detail almost only from the best, so that small errors of
registration do not blur it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numba import prange
from numpy.typing import NDArray

from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.geometry.cameras import K_scaled
from ds3d_pipeline.geometry.transforms import transform_points
from ds3d_pipeline.mesh.options import BakeOptions
from ds3d_pipeline.mesh.texture.atlas import Atlas
from ds3d_pipeline.mesh.texture.view_quality import Sight
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
    """(H, W, 3) levelled."""
    coarse: Float32
    """(H, W, 3) the same, blurred."""
    sight: Sight
    sight_scale: float
    """Survey pixels per pixel of `photo`."""


def bake(
    mesh: Mesh,
    atlas: Atlas,
    views: Sequence[View],
    photos: Path,
    sights: Sequence[Sight],
    weights: Float32,
    gains: Float64,
    vertex_colors: Float32,
    options: BakeOptions,
    report: Callable[[float], None] = lambda _: None,
) -> tuple[UInt8, float]:
    """(side, side, 3) RGB, and the share of the texels that a photo shows.

    `weights` (V, N) are the photos' at the vertices, `gains` (V, 3) level them, `vertex_colors` (N, 3) stand
    where no photo shows a texel.
    """
    texels = np.flatnonzero(atlas.face_of_texel.reshape(-1) >= 0).astype(np.int32)
    owners = atlas.face_of_texel.reshape(-1)[texels]
    sums = np.zeros((len(texels), 8), np.float32)
    for index, view in enumerate(views):
        scale = min(1.0, atlas.scale)
        ready = _ready(mesh, view, photos, sights[index], weights[index], gains[index], scale, options)
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
    sight: Sight,
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
        sight=sight,
        sight_scale=sight.scale / scale,
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
    camera = np.array([ready.K[0, 0], ready.K[1, 1], ready.K[0, 2], ready.K[1, 2]], np.float32)
    knobs = np.array(
        [ready.sight_scale, options.depth_slack, options.min_weight, options.coarse_power,
         options.detail_power], np.float32,
    )  # fmt: skip
    _accumulate(
        texels, owners, useful, atlas.side, atlas.corners_xy, faces, ready.corners_in_cam,
        ready.weights, camera, ready.photo, ready.coarse, ready.sight.depth, ready.sight.trust, knobs, sums,
    )  # fmt: skip


@inline
def _barycentrics(corners: Float32, x: float, y: float) -> tuple[float, float, float]:
    """Weights of a triangle's corners (3, 2) at a point, not below 0 where it lies outside."""
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
    camera: Float32,
    photo: Float32,
    coarse: Float32,
    depth: Float32,
    trust: Float32,
    knobs: Float32,
    sums: Float32,
) -> None:
    """Adds one photo to `sums` (T, 8): coarse colour, its weight, detail, its weight."""
    height, width = photo.shape[:2]
    for k in prange(len(texels)):
        face = owners[k]
        if not useful[face]:
            continue
        a, b, c = _barycentrics(corners_xy[face], texels[k] % side + 0.5, texels[k] // side + 0.5)
        i, j, m = faces[face]
        weight = a * weights[i] + b * weights[j] + c * weights[m]
        if weight <= knobs[2]:
            continue
        z = a * corners_in_cam[i, 2] + b * corners_in_cam[j, 2] + c * corners_in_cam[m, 2]
        if z <= 0:
            continue
        u = camera[0] * (a * corners_in_cam[i, 0] + b * corners_in_cam[j, 0] + c * corners_in_cam[m, 0]) / z
        v = camera[1] * (a * corners_in_cam[i, 1] + b * corners_in_cam[j, 1] + c * corners_in_cam[m, 1]) / z
        u, v = u + camera[2], v + camera[3]
        if u < 0.5 or v < 0.5 or u >= width - 0.5 or v >= height - 0.5:
            continue
        row = min(depth.shape[0] - 1, max(0, int(v * knobs[0] - 0.5)))
        column = min(depth.shape[1] - 1, max(0, int(u * knobs[0] - 0.5)))
        if z > depth[row, column] * (1 + knobs[1]):
            continue
        weight = (weight - knobs[2]) * trust[row, column]
        coarse_weight, detail_weight = weight ** knobs[3], weight ** knobs[4] + np.float32(1e-12)
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
    """Colours from the sums; between the vertices' colours where no photo shows the texel."""
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


def push_pull(colors: UInt8, covered: NDArray[np.bool_]) -> UInt8:
    """Fills what is not covered smoothly from what is (Gortler et al. 1996), so mip levels mix in no black.

    `colors` (S, S, 3), `covered` (S, S); S is even at every level that still has something to fill.
    """
    pyramid = [_halved(colors, covered)]
    while len(pyramid[-1][1]) > 1 and not pyramid[-1][1].all():
        pyramid.append(_halved(*pyramid[-1]))
    filled = pyramid[-1][0]
    for level, mask in reversed(pyramid[:-1]):
        filled = _over(level, mask, filled)
    return _over(colors, covered, np.clip(np.round(filled), 0, 255).astype(np.uint8))


def _halved(colors: NDArray[Any], covered: NDArray[np.bool_]) -> tuple[Float32, NDArray[np.bool_]]:
    """Half the size: the mean of what is covered of each four, and where there is any."""
    weight = np.zeros((len(covered) // 2, covered.shape[1] // 2), np.float32)
    total = np.zeros((*weight.shape, 3), np.float32)
    for down in range(2):
        for right in range(2):
            part = covered[down::2, right::2]
            weight += part
            total += colors[down::2, right::2] * part[..., None]
    total /= np.maximum(weight, 1)[..., None]
    return total, weight > 0


def _over(colors: NDArray[Any], covered: NDArray[np.bool_], coarse: NDArray[Any]) -> NDArray[Any]:
    """The covered colours over the coarser level, enlarged."""
    filled = cv2.resize(coarse, covered.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(colors.dtype)
    np.copyto(filled, colors, where=covered[..., None])
    return filled
