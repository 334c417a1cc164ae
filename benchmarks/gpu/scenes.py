"""What is trained on: the prepared captures, or a tiny scene made here for the dry run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.formats.colmap import write_reconstruction
from ds3d_pipeline.formats.ply import write_pointcloud
from ds3d_pipeline.scene import Float32, Gaussians, PointCloud, Reconstruction, View
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, SH
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.splats.training.initialization import settled, starting_splat
from ds3d_pipeline.splats.training.photos import Photo, read_cameras, read_photo, read_points
from ds3d_pipeline.splats.training.scores import draw
from ds3d_pipeline.stages.modes import MODES

PREPARED = Path(".gpu")
SIDES = {"fox": 960, "fountain": 768}
"""Longer side of the photos, pixels."""
HELDOUT = {"fountain": ("000004.jpg", "000009.jpg")}
"""As the CPU was measured; of other captures every 8th photo from the first."""
TINY_PHOTOS, TINY_WH, TINY_GAUSSIANS, TINY_BUDGET = 12, (64, 48), 200, 300


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One capture, ready for any trainer."""

    name: str
    training: list[Photo]
    heldout: list[Photo]
    start: Gaussians
    """Where our training begins: gsplat's begins at the same places with the same colours."""
    options: SplatOptions
    """Those of `quality`, with as many Gaussians as the CPU trains in its 900 s."""


def open_scene(name: str, folder: Path) -> Scene:
    """Reads the COLMAP folder of a capture; raises InputError where it lacks something."""
    reconstruction = read_cameras(folder)
    points, _ = read_points(folder, reconstruction)
    views = sorted(reconstruction.views, key=lambda view: view.image)
    photos = [read_photo(folder, view, SIDES[name]) for view in views]
    names = HELDOUT.get(name) or [photo.name for photo in photos[::8]]
    training = [photo for photo in photos if photo.name not in names]
    options = settled(replace(MODES["quality"].splat, max_side_px=SIDES[name]), len(training))
    return Scene(
        name=name,
        training=training,
        heldout=[photo for photo in photos if photo.name in names],
        start=starting_splat(points, options, reconstruction),
        options=options,
    )


def make_tiny(folder: Path) -> None:
    """Writes a COLMAP folder of small photos, drawn from a few random Gaussians by our kernels."""
    rows = tiny_rows(TINY_GAUSSIANS)
    photos = [_photographed(rows, index) for index in range(TINY_PHOTOS)]
    (folder / "images").mkdir(parents=True)
    for photo in photos:
        path = str(folder / "images" / photo.name)
        cv2.imwrite(path, cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 98])
    colors = np.full((len(rows), 3), 128, np.uint8)
    write_reconstruction(folder / "sparse", _placed(photos, rows, colors))
    means = rows[:, :3] + np.random.default_rng(1).normal(0, 0.02, (len(rows), 3)).astype(np.float32)
    cloud = PointCloud(points_in_world=means, normals=np.zeros_like(means), colors=colors)
    write_pointcloud(folder / "pointcloud.ply", cloud)


def tiny_rows(count: int) -> Float32:
    """Random Gaussians in the cube of half side 0.8, their colours of degree 3."""
    rng = np.random.default_rng(0)
    rows = np.zeros((count, SH + 48), np.float32)
    rows[:, :3] = rng.uniform(-0.8, 0.8, (count, 3))
    rows[:, 3:7] = rng.normal(size=(count, 4))
    rows[:, LOG_SCALE:LOGIT] = rng.normal(-2.0, 0.3, (count, 3))
    rows[:, LOGIT] = rng.normal(0, 1, count)
    rows[:, SH : SH + 3] = rng.uniform(-1.5, 1.5, (count, 3))
    rows[:, SH + 3 :] = rng.normal(0, 0.05, (count, 45))
    return rows


def _photographed(rows: Float32, index: int) -> Photo:
    """The rows from a place on an arc around them."""
    angle = -0.6 + 1.2 * index / (TINY_PHOTOS - 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    pose = np.eye(4)
    pose[:3, :3] = [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
    pose[2, 3] = 3
    K = np.array([[70.0, 0, TINY_WH[0] / 2], [0, 70, TINY_WH[1] / 2], [0, 0, 1]])
    blank = np.zeros((TINY_WH[1], TINY_WH[0], 3), np.uint8)
    photo = Photo(name=f"{index:06d}.jpg", pixels=blank, K=K, cam_from_world=pose)
    pixels = np.rint(draw(rows, photo, 3) * 255).astype(np.uint8).transpose(1, 2, 0)
    return replace(photo, pixels=pixels)


def _placed(photos: Sequence[Photo], rows: Float32, colors: np.ndarray) -> Reconstruction:
    """The cameras of the photos, with the middles of the Gaussians as points that all of them observe."""
    count = len(rows)
    ids = np.arange(count, dtype=np.int32)
    views = [
        View(image=p.name, image_size_wh=TINY_WH, K=p.K, cam_from_world=p.cam_from_world, point_ids=ids)
        for p in photos
    ]
    return Reconstruction(
        views=tuple(views),
        points_in_world=rows[:, :3].astype(np.float64),
        colors=colors,
        errors_px=np.full(count, 0.5),
        track_lengths=np.full(count, len(photos), np.int32),
    )
