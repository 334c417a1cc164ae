"""A bumpy wall seen by a few cameras, with exact depth, normals and colours, as an INPUT folder."""

import cv2
import numpy as np
import pycolmap

from ds3d_pipeline.formats.colmap import write_depth_map
from ds3d_pipeline.scene import DepthMap

SIZE_WH = (160, 120)
FOCAL_PX = 150.0
K = np.array([[FOCAL_PX, 0, 80], [0, FOCAL_PX, 60], [0, 0, 1.0]])
WALL_Z = 3.0


def camera_centres(views):
    return np.stack([np.linspace(-0.6, 0.6, views), np.zeros(views), np.zeros(views)], axis=1)


def wall_depth(_centre):
    """The wall is the plane z = 3, so its depth is 3 for cameras that look along +z."""
    return np.full(SIZE_WH[::-1], WALL_Z, np.float32)


def wall_color(points):
    """(N, 3) RGB of points of the wall."""
    x, y = points[..., 0], points[..., 1]
    return np.stack([128 + 60 * np.sin(2 * x), 128 + 60 * np.cos(2 * y), 90 + 0 * x], axis=-1)


def wall_points(centre, depth):
    v, u = np.meshgrid(np.arange(SIZE_WH[1]) + 0.5, np.arange(SIZE_WH[0]) + 0.5, indexing="ij")
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(K).T
    return rays * depth[..., None] + centre


def write_capture(folder, *, views=5, confidence=1.0, depth_of=wall_depth, maps=True, points=200):
    """Writes sparse/, images/ and the maps."""
    centres = camera_centres(views)
    write_sparse(folder / "sparse", centres, points)
    (folder / "images").mkdir()
    for index, centre in enumerate(centres):
        name, depth = f"{index + 1:06d}.png", depth_of(centre)
        colors = np.round(wall_color(wall_points(centre, wall_depth(centre)))).astype(np.uint8)
        cv2.imwrite(str(folder / "images" / name), colors[:, :, ::-1])
        if maps:
            write_depth_map(folder, depth_map(name, depth, confidence))


def depth_map(name, depth, confidence):
    known = depth > 0
    normals = np.zeros((*depth.shape, 3), np.float32)
    normals[known] = (0, 0, -1)
    return DepthMap(image=name, depth=depth, normals=normals, confidence=np.float32(confidence) * known, K=K)


def write_sparse(folder, centres, points, seed=0):
    folder.mkdir(parents=True)
    model = pycolmap.Reconstruction()
    camera = pycolmap.Camera(
        model="PINHOLE",
        width=SIZE_WH[0],
        height=SIZE_WH[1],
        params=[FOCAL_PX, FOCAL_PX, 80, 60],
        camera_id=1,
    )
    model.add_camera_with_trivial_rig(camera)
    random = np.random.default_rng(seed)
    xyz = np.concatenate([random.uniform(-0.5, 0.5, (points, 2)), np.full((points, 1), WALL_Z)], axis=1)
    for index, centre in enumerate(centres):
        uv = (xyz - centre)[:, :2] / WALL_Z * FOCAL_PX + [80, 60]
        image = pycolmap.Image(name=f"{index + 1:06d}.png", camera_id=1, image_id=index + 1, keypoints=uv)
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(), -centre)
        model.add_image_with_trivial_frame(image, pose)
    for number, point in enumerate(xyz):
        track = pycolmap.Track([pycolmap.TrackElement(i + 1, number) for i in range(len(centres))])
        color = np.round(wall_color(point)).astype(np.uint8)
        point_id = model.add_point3D(point, track, color)
        model.points3D[point_id].error = 0.3
    model.write(str(folder))
