"""How well each photo sees a mesh's vertices, and in which colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.formats.gltf import vertex_normals
from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.geometry.cameras import K_scaled
from ds3d_pipeline.geometry.transforms import transform_points
from ds3d_pipeline.mesh.options import ViewQualityOptions
from ds3d_pipeline.mesh.render import rasterise
from ds3d_pipeline.scene import Float32, Float64, Mesh, UInt8, View


@dataclass(frozen=True, kw_only=True)
class VisibilityMap:
    """Depth and trust of one camera's view, at a reduced size."""

    scale: float
    """Pixels of the map per photo pixel."""
    depth: Float32
    """(H, W) farthest of the pixel and its right and lower neighbours; infinite where there is no surface."""
    trust: Float32
    """(H, W) in [0, 1]: low along outlines and the border."""


@dataclass(frozen=True, kw_only=True)
class ViewQuality:
    """The quality of all photos at all vertices of a mesh."""

    visibility_maps: tuple[VisibilityMap, ...]
    quality: Float32
    """(V, N) of V views and N vertices: photo pixels per area of the surface, 0 where unseen."""
    colors: UInt8
    """(V, N, 3) RGB, blurred; black where unseen."""
    detail: Float32
    """(V, N) local contrast of the photo, 0 where unseen."""


def measure_view_quality(
    mesh: Mesh,
    views: Sequence[View],
    photos: Path,
    options: ViewQualityOptions,
    report: Callable[[float], None] = lambda _: None,
) -> ViewQuality:
    """Rates every photo in the folder `photos`. Raises StageError if one is missing or is not an image."""
    normals = vertex_normals(mesh.vertices_in_world.astype(np.float64), mesh.faces)
    shape = (len(views), len(mesh.vertices_in_world))
    quality, detail = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    colors, visibility_maps = np.zeros((*shape, 3), np.uint8), []
    for index, view in enumerate(views):
        visibility, size_wh = _visibility_map(mesh, view, options)
        visibility_maps.append(visibility)
        quality[index], uv = vertex_quality(mesh, normals, view, visibility, options)
        seen = quality[index] > 0
        photo = read_rgb(photos / view.image, size_wh=size_wh)
        colors[index, seen], detail[index, seen] = _sampled(photo, uv[seen], options.blur_px)
        report((index + 1) / len(views))
    return ViewQuality(visibility_maps=tuple(visibility_maps), quality=quality, colors=colors, detail=detail)


def vertex_quality(
    mesh: Mesh, normals: Float64, view: View, visibility: VisibilityMap, options: ViewQualityOptions
) -> tuple[Float32, Float32]:
    """(N,) photo pixels per area of surface, 0 where unseen, and (N, 2) the map's pixel of each vertex.

    The density falls with the square of the distance and with the cosine of the viewing angle; flat angles
    and untrusted pixels lower it further.
    """
    points = transform_points(view.cam_from_world, mesh.vertices_in_world)
    z = np.where(points[:, 2] > 1e-9, points[:, 2], np.inf)
    K = K_scaled(view.K, visibility.scale)
    uv = points[:, :2] / z[:, None] * K[[0, 1], [0, 1]] + K[:2, 2]
    height, width = visibility.depth.shape
    inside = np.isfinite(z) & (uv > 0.5).all(axis=1) & (uv[:, 0] < width - 0.5) & (uv[:, 1] < height - 0.5)
    rows, columns = (uv[inside, ::-1] - 0.5).astype(np.intp).T
    seen = np.zeros(len(z), bool)
    seen[inside] = z[inside] <= visibility.depth[rows, columns] * (1 + options.depth_slack)
    towards = -points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    cosine = np.sum((normals @ view.cam_from_world[:3, :3].T) * towards, axis=1)
    flat = np.clip((cosine - options.min_cosine) / 0.3, 0, 1)
    found = np.where(seen, view.K[0, 0] * view.K[1, 1] / z**2 * np.maximum(cosine, 0) * flat, 0)
    found[inside] *= visibility.trust[rows, columns]
    return found.astype(np.float32), uv.astype(np.float32)


def _visibility_map(
    mesh: Mesh, view: View, options: ViewQualityOptions
) -> tuple[VisibilityMap, tuple[int, int]]:
    width, height = view.image_size_wh
    scale = min(1.0, options.max_side_px / max(width, height))
    size_wh = (max(2, round(width * scale)), max(2, round(height * scale)))
    raster = rasterise(
        mesh.vertices_in_world, mesh.faces, K_scaled(view.K, scale), view.cam_from_world, size_wh
    )
    depth = np.where(raster.face_ids >= 0, raster.depth, np.inf).astype(np.float32)
    farthest = cv2.dilate(depth, np.ones((2, 2), np.uint8), anchor=(0, 0)).astype(np.float32)
    return VisibilityMap(scale=scale, depth=farthest, trust=_trust(depth, options)), size_wh


def _trust(depth: Float32, options: ViewQualityOptions) -> Float32:
    side = max(depth.shape)
    around = np.ones((3, 3), np.uint8)
    bounded = np.where(np.isfinite(depth), depth, np.float32(1e30))
    jump = cv2.dilate(bounded, around) > cv2.erode(bounded, around) * (1 + options.depth_jump)
    from_outline = cv2.distanceTransform((~jump).astype(np.uint8), cv2.DIST_L2, 3)
    inner = np.zeros(depth.shape, np.uint8)
    inner[1:-1, 1:-1] = 1
    from_border = cv2.distanceTransform(inner, cv2.DIST_L1, 3)
    trust = np.clip(from_outline / (options.outline_margin * side), 0, 1)
    trust *= np.clip(from_border / (options.border_margin * side), 0, 1)
    return np.maximum(trust, options.min_trust).astype(np.float32)


def _sampled(photo: UInt8, uv: Float32, blur_px: float) -> tuple[UInt8, Float32]:
    """(M, 3) blurred colours and (M,) local contrast at pixels (M, 2)."""
    smooth = cv2.GaussianBlur(photo, (0, 0), blur_px)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), blur_px)
    energy = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 4 * blur_px))
    rows, columns = (uv[:, ::-1]).astype(np.intp).T
    return smooth[rows, columns].astype(np.uint8), energy[rows, columns].astype(np.float32)


def visible_fraction(quality: Float32) -> float:
    """The fraction of vertices that at least one view sees."""
    return float((quality > 0).any(axis=0).mean()) if quality.size else 0.0


def robust_weights(
    quality: Float32, colors: UInt8, gains: Float64, *, spread: float = 20.0, rounds: int = 3
) -> tuple[Float32, NDArray[np.float32]]:
    """(V, N) weights, each vertex's best 1, from qualities and agreement, and (N, 3) mean colours.

    Views whose compensated colour is off the mean of all, by some `spread` (8-bit levels), lose weight (a
    Geman-McClure weight): what passed through the scene and what the geometry hides there wrongly. All views
    count nearly alike in that mean, or the best would only be compared with itself.
    """
    best = np.maximum(quality.max(axis=0), 1e-30)
    base = quality / best
    equal = base**0.25
    weights, votes = base.copy(), equal.copy()
    mean = np.zeros((quality.shape[1], 3), np.float32)
    for _ in range(rounds):
        mean[:] = 0
        for index in range(len(quality)):
            vote = votes[index, :, None]
            mean += vote * (colors[index] * gains[index].astype(np.float32))
        mean /= np.maximum(votes.sum(axis=0), 1e-12)[:, None]
        for index in range(len(quality)):
            off = np.abs(colors[index] * gains[index].astype(np.float32) - mean).max(axis=1)
            agreement = 1 / (1 + (off / spread) ** 2) ** 2
            weights[index], votes[index] = base[index] * agreement, equal[index] * agreement
    return weights / np.maximum(weights.max(axis=0), 1e-12), mean
