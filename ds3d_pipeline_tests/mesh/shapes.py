"""Surfaces with exact truth, sampled as clouds."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from ds3d_pipeline.scene import Mesh, PointCloud, View


def sphere_cloud(count=6000, radius=1.0, noise=0.0, seed=0):
    """Evenly spread points of a sphere, coloured by their position."""
    index = np.arange(count) + 0.5
    z, angle = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - z**2)
    normals = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)
    points = radius * normals + np.random.default_rng(seed).normal(scale=noise, size=normals.shape)
    return cloud_of(points, normals, np.round(127.5 * (normals + 1)))


def box_cloud(per_side=45, half=(1.0, 0.7, 0.5), open_top=False):
    """Points of a box's six faces, or of five where the side towards -y (up) is open."""
    u, v = [g.ravel() for g in np.meshgrid(*[(np.arange(per_side) + 0.5) / per_side * 2 - 1] * 2)]
    points, normals = [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            if open_top and axis == 1 and sign < 0:
                continue
            side = np.stack([u, v], axis=1)
            points.append(np.insert(side, axis, sign, axis=1) * half)
            normals.append(np.tile(np.eye(3)[axis] * sign, (len(u), 1)))
    return cloud_of(np.concatenate(points), np.concatenate(normals), np.full((sum(map(len, points)), 3), 200))


def cloud_of(points, normals, colors):
    return PointCloud(
        points_in_world=np.asarray(points, np.float32),
        normals=np.asarray(normals, np.float32),
        colors=np.asarray(colors, np.uint8),
    )


def grid_mesh(side=20, bump=0.0):
    """A square sheet in the plane z = 0 (or bumpy), seen from -z counter-clockwise, with a colour ramp."""
    u, v = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    z = bump * np.sin(3 * u) * np.cos(3 * v)
    vertices = np.stack([u, v, z], axis=-1).reshape(-1, 3)
    ids = np.arange(side * side).reshape(side, side)
    a, b, c, d = [part.ravel() for part in (ids[:-1, :-1], ids[:-1, 1:], ids[1:, 1:], ids[1:, :-1])]
    faces = np.concatenate([np.stack([a, c, b], axis=1), np.stack([a, d, c], axis=1)])
    colors = np.clip(np.stack([u + 1, v + 1, 0 * u], axis=-1).reshape(-1, 3) * 127, 0, 255)
    return Mesh(
        vertices_in_world=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        vertex_colors=colors.astype(np.uint8),
    )


@dataclass(frozen=True)
class SurfaceSamples:
    points: np.ndarray
    normals: np.ndarray


def sample_surface(mesh, count=20000, seed=0):
    """Random points of a mesh, by area, with their face normals."""
    random = np.random.default_rng(seed)
    corners = mesh.vertices_in_world[mesh.faces].astype(np.float64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(cross, axis=1)
    face = random.choice(len(areas), count, p=areas / areas.sum())
    a, b = np.sqrt(random.random(count)), random.random(count)
    weights = np.stack([1 - a, a * (1 - b), a * b], axis=1)
    return SurfaceSamples(np.einsum("nk,nkc->nc", weights, corners[face]), cross[face] / areas[face, None])


def chamfer(a, b):
    """Mean distance between two samplings, both ways averaged."""
    return (KDTree(a).query(b)[0].mean() + KDTree(b).query(a)[0].mean()) / 2


def look_at(centre, target=(0, 0, 0), size_wh=(160, 120), focal_px=150.0, name="000001.jpg"):
    """A view at `centre` that looks at `target`, upright in a world with +y down."""
    forward = np.subtract(target, centre) / np.linalg.norm(np.subtract(target, centre))
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    cam_from_world[:3, 3] = -cam_from_world[:3, :3] @ centre
    width, height = size_wh
    return View(
        image=name,
        image_size_wh=size_wh,
        K=np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]]),
        cam_from_world=cam_from_world,
        point_ids=np.zeros(0, np.int32),
    )
