"""A z-buffer renderer of triangle meshes: exact depth, solid textures, Lambert shading under a fixed light.

Triangles are tested per pixel by the barycentric coordinates of the pixel's ray in the camera frame (Olano
and Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates"), so nothing needs clipping and
depth is exact at every pixel centre.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ds3d_pipeline.geometry.transforms import invert_rigid, transform_points
from ds3d_pipeline.programs.jit import EXACT, serial
from ds3d_pipeline.scene import Float32, Float64, Int32
from ds3d_pipeline.synthetic.scene import SyntheticScene
from ds3d_pipeline.synthetic.texture import albedo

Vector = tuple[float, float, float]
NEAR_M = 0.01
LIGHT_TOWARDS = np.array([0.45, -0.75, -0.48])
AMBIENT = 0.42
BACKGROUND = np.array([0.35, 0.38, 0.42])


def render_depth(
    vertices: Float64, faces: Int32, K: ArrayLike, cam_from_world: ArrayLike, size_wh: tuple[int, int]
) -> tuple[Float32, Int32]:
    """Depth (H, W), 0 where nothing is hit, and the triangle (H, W) seen at each pixel centre, -1 for none.

    Only triangles that turn their front (counter-clockwise side) to the camera are seen.
    """
    vertices_in_cam = transform_points(cam_from_world, vertices)
    depth = np.full((size_wh[1], size_wh[0]), np.inf)
    face_ids = np.full(depth.shape, -1, dtype=np.int32)
    _rasterise(vertices_in_cam, faces, np.asarray(K, dtype=np.float64), depth, face_ids)
    return np.where(face_ids >= 0, depth, 0).astype(np.float32), face_ids


def render_view(
    scene: SyntheticScene, K: ArrayLike, cam_from_world: ArrayLike, size_wh: tuple[int, int]
) -> tuple[Float32, Float32]:
    """One sample at each pixel's centre: colour (H, W, 3) in [0, 1], depth (H, W) in metres, 0 for none."""
    K = np.asarray(K, dtype=np.float64)
    depth, face_ids = render_depth(scene.vertices, scene.faces, K, cam_from_world, size_wh)
    colors = np.empty((*depth.shape, 3), dtype=np.float32)
    textures = scene.textures
    _shade(
        scene.vertices, scene.normals, scene.faces, scene.texture_ids, textures.texture_from_world,
        textures.palettes, textures.patch_m, textures.grain, K, invert_rigid(cam_from_world),
        depth, face_ids, _LIGHT, colors,
    )  # fmt: skip
    return colors, depth


_LIGHT = np.concatenate([LIGHT_TOWARDS / np.linalg.norm(LIGHT_TOWARDS), [AMBIENT], BACKGROUND])


@serial(floats=EXACT)
def _rasterise(vertices_in_cam: Float64, faces: Int32, K: Float64, depth: Float64, face_ids: Int32) -> None:
    """Fills the z-buffer `depth` (H, W), infinite at first, and face_ids (H, W), the triangle of each pixel.

    vertices_in_cam (V, 3), faces (F, 3), K (3, 3).
    """
    height, width = depth.shape
    for face in range(len(faces)):
        a = _vector(vertices_in_cam, faces[face, 0])
        b = _vector(vertices_in_cam, faces[face, 1])
        c = _vector(vertices_in_cam, faces[face, 2])
        # Rows of the inverse of [a b c]: a ray d meets the triangle's plane at depth 1 / sum(rows @ d).
        ra, rb, rc = _cross(b, c), _cross(c, a), _cross(a, b)
        volume = _dot(a, ra)
        if volume >= -1e-15:
            continue
        left, right, top, bottom = _bounds(a, b, c, K, width, height)
        for row in range(top, bottom):
            y = (row + 0.5 - K[1, 2]) / K[1, 1]
            for column in range(left, right):
                ray = ((column + 0.5 - K[0, 2]) / K[0, 0], y, 1.0)
                wa, wb, wc = _dot(ra, ray), _dot(rb, ray), _dot(rc, ray)
                if wa > 0 or wb > 0 or wc > 0:
                    continue
                z = volume / (wa + wb + wc)
                if z < depth[row, column]:
                    depth[row, column] = z
                    face_ids[row, column] = face


@serial(floats=EXACT)
def _bounds(
    a: Vector, b: Vector, c: Vector, K: Float64, width: int, height: int
) -> tuple[int, int, int, int]:
    """The pixels (left, right, top, bottom; ends excluded) a triangle may cover: all if it reaches behind.

    a, b, c: the corners in the camera frame, scene units. K: (3, 3). width, height: of the picture.
    """
    nearest = min(a[2], b[2], c[2])
    if max(a[2], b[2], c[2]) < NEAR_M:
        return 0, 0, 0, 0
    if nearest < NEAR_M:
        return 0, width, 0, height
    ua, ub, uc = a[0] / a[2], b[0] / b[2], c[0] / c[2]
    va, vb, vc = a[1] / a[2], b[1] / b[2], c[1] / c[2]
    left = min(max(K[0, 0] * min(ua, ub, uc) + K[0, 2] - 1, 0.0), float(width))
    right = min(max(K[0, 0] * max(ua, ub, uc) + K[0, 2] + 1, 0.0), float(width))
    top = min(max(K[1, 1] * min(va, vb, vc) + K[1, 2] - 1, 0.0), float(height))
    bottom = min(max(K[1, 1] * max(va, vb, vc) + K[1, 2] + 1, 0.0), float(height))
    return int(left), int(np.ceil(right)), int(top), int(np.ceil(bottom))


@serial(floats=EXACT)
def _shade(
    vertices: Float64, normals: Float64, faces: Int32, texture_ids: Int32, texture_from_world: Float64,
    palettes: Float64, patch_m: Float64, grain: Float64, K: Float64, world_from_cam: Float64,
    depth: Float32, face_ids: Int32, light: Float64, colors: Float32,
) -> None:  # fmt: skip
    """Fills the colours (H, W, 3) of all pixels from the triangles they see.

    vertices, normals (V, 3) in the world; faces (F, 3) with texture_ids (F,); texture_from_world (T, 3, 4),
    palettes (T, 5, 3), patch_m (T,) and grain (T,) of the textures; K (3, 3); world_from_cam (3, 4); depth
    and face_ids (H, W), -1 without a triangle; light: direction (3,), ambient share, background colour (3,).
    """
    M = world_from_cam
    towards, rgb, place = (light[0], light[1], light[2]), np.empty(3), np.empty(3)
    for row in range(depth.shape[0]):
        y = (row + 0.5 - K[1, 2]) / K[1, 1]
        for column in range(depth.shape[1]):
            face, z = face_ids[row, column], depth[row, column]
            if face < 0:
                colors[row, column] = light[4:].astype(np.float32)
                continue
            x = (column + 0.5 - K[0, 2]) / K[0, 0]
            ray = (
                M[0, 0] * x + M[0, 1] * y + M[0, 2],
                M[1, 0] * x + M[1, 1] * y + M[1, 2],
                M[2, 0] * x + M[2, 1] * y + M[2, 2],
            )
            for i in range(3):
                place[i] = M[i, 3] + z * ray[i]
            normal, facing = _surface(vertices, normals, faces[face], place, ray)
            texture = int(texture_ids[face])
            footprint = 0.5 * z / K[0, 0] / max(facing, 0.2)
            look = texture_from_world[texture], palettes[texture], patch_m[texture], grain[texture]
            albedo(*look, place, footprint, rgb)
            brightness = light[3] + (1 - light[3]) * max(_dot(normal, towards), 0.0)
            for channel in range(3):
                colors[row, column, channel] = min(rgb[channel] * brightness, 1.0)


@serial(floats=EXACT)
def _surface(
    vertices: Float64, normals: Float64, corners: Int32, place: Float64, ray: Vector
) -> tuple[Vector, float]:
    """The unit normal, interpolated, at a place on a triangle, and how its plane faces a ray (cosine).

    vertices, normals: (V, 3). corners: (3,) the triangle's rows in them. place: (3,). ray: its direction.
    """
    a, b, c = _vector(vertices, corners[0]), _vector(vertices, corners[1]), _vector(vertices, corners[2])
    pa, pb, pc = _minus(a, place), _minus(b, place), _minus(c, place)
    plane = _cross(_minus(b, a), _minus(c, a))
    area = _dot(plane, plane)
    wa, wb = _dot(_cross(pb, pc), plane) / area, _dot(_cross(pc, pa), plane) / area
    wc = 1 - wa - wb
    na, nb, nc = _vector(normals, corners[0]), _vector(normals, corners[1]), _vector(normals, corners[2])
    x = wa * na[0] + wb * nb[0] + wc * nc[0]
    y = wa * na[1] + wb * nb[1] + wc * nc[1]
    z = wa * na[2] + wb * nb[2] + wc * nc[2]
    length = max(np.sqrt(x * x + y * y + z * z), 1e-12)
    facing = abs(_dot(plane, ray)) / np.sqrt(area * _dot(ray, ray))
    return (x / length, y / length, z / length), facing


@serial(floats=EXACT)
def _vector(rows: Float64, index: int) -> Vector:
    """Row `index` of `rows` (N, 3)."""
    return rows[index, 0], rows[index, 1], rows[index, 2]


@serial(floats=EXACT)
def _cross(a: Vector, b: Vector) -> Vector:
    """The cross product of the vectors a and b."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@serial(floats=EXACT)
def _dot(a: Vector, b: Vector) -> float:
    """The scalar product of the vectors a and b."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@serial(floats=EXACT)
def _minus(a: Vector, b: Vector | Float64) -> Vector:
    """The vector a - b."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]
