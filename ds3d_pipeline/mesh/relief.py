"""A relief of one depth map: vertices lifted by depth, Delaunay triangles between them, no curtains.

Vertices are dense where depth bends and along its edges, and sparse where it is flat. A triangle stays only
where depth runs smoothly along all its sides, so none spans two surfaces.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.geometry.cameras import project, rays
from ds3d_pipeline.geometry.transforms import invert_rigid, transform_points
from ds3d_pipeline.mesh.options import ReliefOptions
from ds3d_pipeline.mesh.surface.components import largest_components
from ds3d_pipeline.mesh.surface.decimate import decimate
from ds3d_pipeline.scene import DepthMap, Float32, Float64, Int32, Mesh, UInt8, View


def relief(view: View, depth: DepthMap, photo: UInt8, max_faces: int, options: ReliefOptions) -> Mesh:
    """The map's surface in the world, textured with its photo (H, W, 3), at most `max_faces` faces.

    Raises StageError where the map has no three neighbouring pixels of one surface.
    """
    vertices_px, faces = triangulate(depth.depth, max_faces, options)
    if not len(faces):
        cause = f"The depth map of {depth.image} has no surface: nowhere do neighbouring depths connect."
        raise StageError(cause, "Photograph the scene again from more sides.")
    column, row = vertices_px.T
    points_in_cam = rays(depth.K, depth.depth.shape[::-1])[row, column] * depth.depth[row, column][:, None]
    vertices = transform_points(invert_rigid(view.cam_from_world), points_in_cam)
    whole = Mesh(vertices_in_world=vertices.astype(np.float32), faces=faces)
    mesh = largest_components(decimate(whole, max_faces), options.min_component_fraction)
    return with_photo(mesh, view, photo, options.max_texture_px)


def with_photo(mesh: Mesh, view: View, photo: UInt8, max_texture_px: int) -> Mesh:
    """The mesh with a photo as its texture, thrown on it from the photo's camera."""
    pixels, _ = project(view.K, view.cam_from_world, mesh.vertices_in_world)
    uvs = pixels / view.image_size_wh
    scale = min(1.0, max_texture_px / max(photo.shape[:2]))
    texture = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Mesh(
        vertices_in_world=mesh.vertices_in_world,
        faces=mesh.faces,
        uvs=np.clip(np.stack([uvs[:, 0], 1 - uvs[:, 1]], axis=1), 0, 1).astype(np.float32),
        texture=texture.astype(np.uint8),
    )


def triangulate(depth: Float32, max_faces: int, options: ReliefOptions) -> tuple[Int32, Int32]:
    """(V, 2) pixels as column and row, and (F, 3) faces, counter-clockwise seen from the camera."""
    row, column = np.nonzero(chosen_pixels(depth, max_faces, options))
    vertices = np.stack([column, row], axis=1).astype(np.int32)
    none = np.zeros((0, 3), np.int32)
    try:
        faces = Delaunay(vertices).simplices.astype(np.int32)
    except (QhullError, ValueError):
        return vertices, none
    first, second, third = (vertices[faces[:, corner]] for corner in range(3))
    (ax, ay), (bx, by) = (second - first).T, (third - first).T
    # Rows run down, so what turns from x to y is clockwise in the image.
    clockwise = ax * by - ay * bx > 0
    faces[clockwise] = faces[clockwise][:, ::-1]
    return vertices, faces[_smooth_faces(depth, vertices, faces, options.max_step)]


def chosen_pixels(depth: Float32, max_faces: int, options: ReliefOptions) -> NDArray[np.bool_]:
    """(H, W) pixels that become vertices."""
    known = depth > 0
    finest = finest_px(int(known.sum()), max_faces)
    chosen = _grid(depth.shape, options.coarsest_px)
    spacing = options.coarsest_px
    while spacing > finest:
        spacing //= 2
        chosen |= _grid(depth.shape, spacing) & _bends(depth, 2 * spacing, options.tolerance)
    return known & (chosen | borders(depth, options.max_step))


def finest_px(known: int, max_faces: int) -> int:
    """A power of two: spacing of a grid over so many pixels that has about four times the faces allowed."""
    return 1 << max(0, int(np.ceil(0.5 * np.log2(max(known, 1) / (2 * max_faces)))))


def borders(depth: Float32, max_step: float) -> NDArray[np.bool_]:
    """(H, W) known pixels at an edge of depth, or beside unknown depth."""
    known = depth > 0
    window = np.ones((3, 3), np.uint8)
    low = cv2.erode(np.where(known, depth, 0).astype(np.float32), window)
    high = cv2.dilate(depth.astype(np.float32), window)
    return known & ((high > (1 + max_step) * low) | (low == 0))


def _grid(shape: tuple[int, ...], spacing: int) -> NDArray[np.bool_]:
    """A grid of pixels that extends to all borders of the map."""
    chosen = np.zeros(shape, bool)
    rows, columns = (np.append(np.arange(0, side - 1, spacing), side - 1) for side in shape)
    chosen[np.ix_(rows, columns)] = True
    return chosen


def _bends(depth: Float32, spacing: int, tolerance: float) -> NDArray[np.bool_]:
    """(H, W) pixels near which planes of inverse depth over `spacing` pixels are further off than tolerated.

    Inverse depth is affine in the image on every plane in space, so its mean over a centred window is its
    value there, and the largest difference over the window shows how badly a plane fits.
    """
    inverse = np.divide(1.0, depth, out=np.zeros_like(depth), where=depth > 0).astype(np.float32)
    side = spacing + 1
    weight = cv2.blur((depth > 0).astype(np.float32), (side, side), borderType=cv2.BORDER_CONSTANT)
    inside = weight > 1 - 0.5 / side**2
    error = np.abs(cv2.blur(inverse, (side, side), borderType=cv2.BORDER_CONSTANT) - inverse)
    relative = np.where(inside, error / np.maximum(inverse, 1e-12), 0).astype(np.float32)
    worst = cv2.dilate(relative, np.ones((side, side), np.uint8)).astype(np.float32)
    return worst > tolerance


def _smooth_faces(depth: Float32, vertices: Int32, faces: Int32, max_step: float) -> NDArray[np.bool_]:
    """(F,) whether depth is known along all sides of the face and nowhere jumps."""
    sides = np.sort(np.stack([faces, np.roll(faces, 1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    unique, back = np.unique(sides, axis=0, return_inverse=True)
    smooth = _smooth_sides(depth, vertices[unique[:, 0]], vertices[unique[:, 1]], max_step)
    return np.asarray(smooth[back.reshape(-1)].reshape(-1, 3).all(axis=1))


def _smooth_sides(depth: Float32, start: Int32, end: Int32, max_step: float) -> NDArray[np.bool_]:
    """(N,) whether depth is known and goes by small steps along lines, walked pixel by pixel."""
    length = np.abs(end - start).max(axis=1)
    smooth = np.ones(len(start), bool)
    previous = depth[start[:, 1], start[:, 0]]
    for step in range(1, int(length.max(initial=0)) + 1):
        alive = np.flatnonzero(smooth & (step <= length))
        place = _along(start[alive], end[alive], step / length[alive])
        here = depth[place[:, 1], place[:, 0]]
        before = previous[alive]
        smooth[alive] = (here > 0) & (np.maximum(here, before) <= (1 + max_step) * np.minimum(here, before))
        previous[alive] = here
    return smooth


def _along(start: Int32, end: Int32, fraction: Float64) -> NDArray[np.intp]:
    return np.round(start + (end - start) * fraction[:, None]).astype(np.intp)
