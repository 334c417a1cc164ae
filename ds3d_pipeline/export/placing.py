"""Which part of a capture is exported, and how it is turned and scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.geometry.conventions import gltf_from_world, z_up_from_gltf
from ds3d_pipeline.mesh.surface.components import keep_faces
from ds3d_pipeline.scene import Float64, Mesh, PointCloud


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A box, or a ball: what is kept, in the frame of `model.glb`."""

    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    """Opposite corners of the box."""
    centre: tuple[float, ...] = ()
    radius: float = 0.0

    def keeps(self, points_in_gltf: Float64) -> NDArray[np.bool_]:
        """(N,) which of the (N, 3) points are inside."""
        if self.centre:
            distances = np.linalg.norm(points_in_gltf - np.array(self.centre), axis=1)
            return np.asarray(distances <= self.radius)
        inside = (points_in_gltf >= self.low) & (points_in_gltf <= self.high)
        return np.asarray(inside.all(axis=1))


@dataclass(frozen=True, kw_only=True)
class Placing:
    """What happens to every point on its way into the file: cropped, turned, scaled."""

    crop: Crop | None
    up: str
    """The axis that points up: y or z."""
    scale: float
    """Units of the file per unit of the capture."""

    def points(self, vectors_in_world: ArrayLike) -> Float64:
        """(N, 3) points of the world in the file."""
        return self.scale * self.directions(vectors_in_world)

    def directions(self, vectors_in_world: ArrayLike) -> Float64:
        """(N, 3) directions of the world in the file."""
        in_gltf = gltf_from_world(vectors_in_world)
        return z_up_from_gltf(in_gltf) if self.up == "z" else in_gltf


def read_crop(text: str) -> Crop:
    """The crop of X,Y,Z,RADIUS or X,Y,Z,X,Y,Z. Raises InputError for anything else, or nothing inside."""
    remedy = "Give X,Y,Z,RADIUS for a ball or X,Y,Z,X,Y,Z for a box, in the frame of model.glb."
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{text!r} is not a list of numbers.", remedy) from error
    if len(numbers) not in (4, 6) or not np.isfinite(numbers).all():
        raise InputError(f"{text!r} is neither 4 nor 6 numbers.", remedy)
    if len(numbers) == 4:
        crop = Crop(centre=numbers[:3], radius=numbers[3])
        empty = crop.radius <= 0
    else:
        corners = np.sort(np.reshape(numbers, (2, 3)), axis=0)
        crop = Crop(low=tuple(corners[0]), high=tuple(corners[1]))
        empty = bool((corners[0] == corners[1]).any())
    if empty:
        raise InputError(f"{text!r} has nothing inside.", remedy)
    return crop


def cropped_mesh(mesh: Mesh, crop: Crop | None) -> Mesh:
    """The triangles that are wholly inside, with the vertices that they use.

    Raises InputError where there is none.
    """
    if crop is None:
        return mesh
    inside = crop.keeps(gltf_from_world(mesh.vertices_in_world))
    kept = keep_faces(mesh, np.asarray(inside[mesh.faces].all(axis=1)))
    _refuse_nothing(len(kept.faces))
    return kept


def cropped_points(cloud: PointCloud, crop: Crop | None) -> PointCloud:
    """The points inside. Raises InputError where there is none."""
    if crop is None:
        return cloud
    inside = crop.keeps(gltf_from_world(cloud.points_in_world))
    _refuse_nothing(int(inside.sum()))
    return PointCloud(
        points_in_world=cloud.points_in_world[inside],
        normals=cloud.normals[inside],
        colors=cloud.colors[inside],
    )


def _refuse_nothing(count: int) -> None:
    if not count:
        remedy = "Its numbers are in the frame of model.glb: +y up, with the origin in the middle."
        raise InputError("Nothing of the capture is inside the crop.", remedy)
