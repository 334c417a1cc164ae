"""Triangle meshes of simple surfaces, counter-clockwise seen from outside, with vertex normals.

Each is made in its own frame, height along -y (up in the world), and moved with `Solid.moved`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ds3d_pipeline.geometry.transforms import rigid, rotation_from_axis_angle_deg, transform_points
from ds3d_pipeline.scene import Float64, Int32


@dataclass(frozen=True, kw_only=True)
class Solid:
    """A triangle mesh; vertices on a crease are stored twice, so that each has one normal."""

    vertices: Float64
    """(V, 3) metres."""
    faces: Int32
    """(F, 3)."""

    @property
    def normals(self) -> Float64:
        """(V, 3) unit normals, outwards: the mean over a vertex's triangles, weighted by area."""
        corners = self.vertices[self.faces]
        face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.zeros_like(self.vertices)
        for corner in range(3):
            np.add.at(normals, self.faces[:, corner], face_normals)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        return normals / np.where(length > 0, length, 1)

    def moved(self, position: ArrayLike, turn_deg: float = 0.0, axis: ArrayLike = (0, 1, 0)) -> Solid:
        """Turned about an axis through its own origin, then put at `position` (3,) metres."""
        world_from_solid = rigid(rotation_from_axis_angle_deg(axis, turn_deg), position)
        return Solid(vertices=transform_points(world_from_solid, self.vertices), faces=self.faces)


def box(size: tuple[float, float, float]) -> Solid:
    """A box of this size along x, y, z standing on the origin: y from -size to 0."""
    half = np.array(size) / 2
    sides = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal, first = np.eye(3)[axis] * sign, np.eye(3)[(axis + 1) % 3]
            second = np.cross(normal, first)
            sides.append(
                [
                    normal - first - second,
                    normal + first - second,
                    normal + first + second,
                    normal - first + second,
                ]
            )
    vertices = np.array(sides).reshape(-1, 3) * half - [0, half[1], 0]
    corner = np.array([[0, 1, 2], [0, 2, 3]])
    faces = (4 * np.arange(6)[:, None, None] + corner).reshape(-1, 3)
    return Solid(vertices=vertices, faces=faces.astype(np.int32))


def revolution(profile: ArrayLike, segments: int = 64) -> Solid:
    """The surface swept by a profile (N, 2) of (radius, height) from bottom to top about the vertical.

    A profile point given twice in a row makes a crease.
    """
    profile = np.asarray(profile, dtype=np.float64)
    angle = 2 * np.pi * np.arange(segments) / segments
    radius, height = profile[:, :1], profile[:, 1:]
    rings = [
        radius * np.cos(angle),
        np.broadcast_to(-height, (len(profile), segments)),
        radius * np.sin(angle),
    ]
    vertices = np.stack(rings, axis=-1).reshape(-1, 3)
    index = np.arange(len(vertices)).reshape(len(profile), segments)
    index = np.concatenate([index, index[:, :1]], axis=1)
    return _without_empty_faces(Solid(vertices=vertices, faces=_grid_faces(index)))


def sphere(radius: float, segments: int = 64) -> Solid:
    """A ball standing on the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    profile = np.stack([radius * np.cos(angle), radius * (1 + np.sin(angle))], axis=1)
    profile[[0, -1], 0] = 0
    return revolution(profile, segments)


def cylinder(radius: float, height: float, segments: int = 64) -> Solid:
    """A closed, upright cylinder standing on the origin."""
    bottom, top = (radius, 0.0), (radius, height)
    return revolution([(0, 0), bottom, bottom, top, top, (0, height)], segments)


def torus(radius: float, thickness: float, segments: int = 64) -> Solid:
    """A ring of circular section (radius `thickness`) lying on the origin."""
    angle = np.linspace(0, 2 * np.pi, segments // 2 + 1)
    return revolution(
        np.stack([radius + thickness * np.sin(angle), thickness * (1 - np.cos(angle))], axis=1), segments
    )


def height_field(size: tuple[float, float], heights: Float64) -> Solid:
    """An open sheet over x and z, of size (x, z) about the origin, raised by heights (rows along z, x)."""
    rows, columns = heights.shape
    x = np.linspace(-size[0] / 2, size[0] / 2, columns)
    z = np.linspace(-size[1] / 2, size[1] / 2, rows)
    grid_x, grid_z = np.meshgrid(x, z)
    vertices = np.stack([grid_x, -heights, grid_z], axis=-1).reshape(-1, 3)
    return Solid(vertices=vertices, faces=_grid_faces(np.arange(rows * columns).reshape(rows, columns)))


def sheet(size: tuple[float, float]) -> Solid:
    """A flat rectangle over x and z that faces up."""
    return height_field(size, np.zeros((2, 2)))


def _grid_faces(index: Int32 | np.ndarray) -> Int32:
    """Two triangles for each cell of a grid of vertex indices (rows, columns)."""
    here, right, below, across = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    halves = [np.stack([here, right, across], axis=-1), np.stack([here, across, below], axis=-1)]
    return np.stack(halves, axis=-2).reshape(-1, 3).astype(np.int32)


def _without_empty_faces(solid: Solid) -> Solid:
    corners = solid.vertices[solid.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return Solid(vertices=solid.vertices, faces=solid.faces[area > 1e-12])
