"""A z-buffer for triangle meshes on the CPU: what texturing needs for visibility, and previews.

The pixel's depth comes from the plane of the triangle, so it is exact at the pixel's centre and perspective
needs no correction (Olano and Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates").
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import prange
from numpy.typing import NDArray

from ds3d_pipeline.geometry.transforms import transform_points
from ds3d_pipeline.programs.jit import EXACT, parallel, serial
from ds3d_pipeline.scene import Float32, Float64, Int32, Mesh, UInt8

_BANDS = 32
_NEAR = 1e-6


@dataclass(frozen=True, kw_only=True)
class Raster:
    """What a camera sees of a mesh at every pixel centre."""

    depth: Float32
    """(H, W) scene units, 0 where nothing is seen."""
    face_ids: Int32
    """(H, W), -1 where nothing is seen."""
    barycentrics: Float32
    """(H, W, 3) weights of the face's corners."""


def rasterise(
    vertices_in_world: NDArray[np.floating],
    faces: Int32,
    K: Float64,
    cam_from_world: Float64,
    size_wh: tuple[int, int],
) -> Raster:
    """The nearest triangle at every pixel, seen from either side."""
    vertices_in_cam = transform_points(cam_from_world, vertices_in_world)
    width, height = size_wh
    depth = np.full((height, width), np.inf, np.float32)
    face_ids = np.full((height, width), -1, np.int32)
    barycentrics = np.zeros((height, width, 3), np.float32)
    _rasterise(vertices_in_cam, faces, np.asarray(K, np.float64), depth, face_ids, barycentrics)
    depth[face_ids < 0] = 0
    return Raster(depth=depth, face_ids=face_ids, barycentrics=barycentrics)


def shade(mesh: Mesh, raster: Raster, background: tuple[int, int, int] = (255, 255, 255)) -> UInt8:
    """(H, W, 3) RGB: the mesh's texture, or else its vertex colours, or else grey, where it is seen."""
    picture = np.empty((*raster.face_ids.shape, 3), np.uint8)
    picture[:] = background
    seen = raster.face_ids >= 0
    corners, weights = mesh.faces[raster.face_ids[seen]], raster.barycentrics[seen]
    if mesh.texture is not None and mesh.uvs is not None:
        uvs = np.einsum("nk,nkc->nc", weights, mesh.uvs[corners])
        picture[seen] = _sample_texture(mesh.texture, uvs)
    elif mesh.vertex_colors is not None:
        colors = np.einsum("nk,nkc->nc", weights, mesh.vertex_colors[corners].astype(np.float32))
        picture[seen] = np.round(np.clip(colors, 0, 255)).astype(np.uint8)
    else:
        picture[seen] = 160
    return picture


def render(mesh: Mesh, K: Float64, cam_from_world: Float64, size_wh: tuple[int, int]) -> UInt8:
    """(H, W, 3) RGB of the mesh from one camera, white where nothing is seen."""
    return shade(mesh, rasterise(mesh.vertices_in_world, mesh.faces, K, cam_from_world, size_wh))


def _sample_texture(texture: UInt8, uvs: Float32) -> UInt8:
    height, width = texture.shape[:2]
    # OpenCV puts the first texel's centre at 0, and remaps at most 32767 pixels a row.
    x = (uvs[:, 0] * width - 0.5).astype(np.float32)
    y = ((1 - uvs[:, 1]) * height - 0.5).astype(np.float32)
    found = np.empty((len(uvs), 3), np.uint8)
    for start in range(0, len(uvs), 30_000):
        part = slice(start, start + 30_000)
        found[part] = cv2.remap(
            texture, x[part, None], y[part, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )[:, 0]
    return found


@parallel(floats=EXACT)
def _rasterise(
    vertices: Float64, faces: Int32, K: Float64, depth: Float32, face_ids: Int32, barycentrics: Float32
) -> None:
    """Bands of rows in parallel, each over all triangles, so that no two threads write the same pixel.

    vertices: (N, 3) float64, camera frame. faces: (F, 3) int32, vertices. K: (3, 3) float64, pixels.
    depth: (H, W) float32, infinite, filled with z. face_ids: (H, W) int32, -1, filled with faces.
    barycentrics: (H, W, 3) float32, filled with the weights of the face's corners.
    """
    height = depth.shape[0]
    bounds = _row_bounds(vertices, faces, K, height)
    rows = (height + _BANDS - 1) // _BANDS
    for band in prange(_BANDS):
        top, bottom = band * rows, min(height, (band + 1) * rows)
        for face in range(len(faces)):
            first, last = max(top, bounds[face, 0]), min(bottom, bounds[face, 1])
            if first < last:
                _fill(vertices, faces, K, face, first, last, depth, face_ids, barycentrics)


@parallel(floats=EXACT)
def _row_bounds(vertices: Float64, faces: Int32, K: Float64, height: int) -> Int32:
    """(F, 2) first row, and row after the last, of each triangle; empty where it is behind the camera.

    vertices (V, 3) in the camera frame; faces (F, 3); K (3, 3); `height` rows.
    """
    bounds = np.zeros((len(faces), 2), np.int32)
    for face in prange(len(faces)):
        low, high = np.inf, -np.inf
        for corner in range(3):
            vertex = vertices[faces[face, corner]]
            # A triangle that crosses the camera's plane is left out: it has no bounded outline.
            if vertex[2] <= _NEAR:
                high = -np.inf
                break
            row = K[1, 1] * vertex[1] / vertex[2] + K[1, 2]
            low, high = min(low, row), max(high, row)
        if high > 0 and low < height:
            bounds[face, 0] = max(0, int(np.ceil(low - 0.5)))
            bounds[face, 1] = min(height, int(np.floor(high - 0.5)) + 1)
    return bounds


@serial(floats=EXACT)
def _fill(
    vertices: Float64,
    faces: Int32,
    K: Float64,
    face: int,
    first: int,
    last: int,
    depth: Float32,
    face_ids: Int32,
    barycentrics: Float32,
) -> None:
    """Tests the pixel centres in rows `first` to `last` of the triangle's bounding box.

    vertices (V, 3) in the camera frame; faces (F, 3), of which `face` is drawn; K (3, 3). Where the triangle
    is the nearest so far, depth (H, W), face_ids (H, W) and barycentrics (H, W, 3) are set.
    """
    a, b, c = vertices[faces[face, 0]], vertices[faces[face, 1]], vertices[faces[face, 2]]
    columns = np.empty(3)
    for corner, vertex in enumerate((a, b, c)):
        columns[corner] = K[0, 0] * vertex[0] / vertex[2] + K[0, 2]
    left = max(0, int(np.ceil(columns.min() - 0.5)))
    right = min(depth.shape[1], int(np.floor(columns.max() - 0.5)) + 1)
    # Rows of the inverse of [a b c], up to the determinant: a ray's barycentric coordinates over depth.
    wa, wb, wc = np.cross(b, c), np.cross(c, a), np.cross(a, b)
    volume = np.dot(a, wa)
    if volume == 0:
        return
    for row in range(first, last):
        y = (row + 0.5 - K[1, 2]) / K[1, 1]
        for column in range(left, right):
            x = (column + 0.5 - K[0, 2]) / K[0, 0]
            alpha = (wa[0] * x + wa[1] * y + wa[2]) / volume
            beta = (wb[0] * x + wb[1] * y + wb[2]) / volume
            gamma = (wc[0] * x + wc[1] * y + wc[2]) / volume
            if alpha < 0 or beta < 0 or gamma < 0:
                continue
            inverse_depth = alpha + beta + gamma
            z = 1 / inverse_depth
            if z < depth[row, column]:
                depth[row, column] = z
                face_ids[row, column] = face
                barycentrics[row, column, 0] = alpha * z
                barycentrics[row, column, 1] = beta * z
                barycentrics[row, column, 2] = gamma * z
