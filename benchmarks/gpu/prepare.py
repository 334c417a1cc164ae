"""A finished capture made small enough to travel: photos, cameras with their points, a thinned dense cloud.

    python -m benchmarks.gpu.prepare CAPTURE FOLDER NAME

NAME says which one it is, and so how large its photos stay.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.gpu.scenes import SIDES
from ds3d_pipeline.formats.colmap import write_reconstruction
from ds3d_pipeline.formats.ply import write_pointcloud
from ds3d_pipeline.scene import PointCloud, View
from ds3d_pipeline.splats.training.initialization import gaussian_budget
from ds3d_pipeline.splats.training.photos import read_cameras, read_photo, read_points
from ds3d_pipeline.stages.modes import MODES

JPEG_QUALITY = 92


def shrink(capture: Path, folder: Path, side: int) -> None:
    """Writes `folder` with photos of at most `side` pixels and no more points than training begins with."""
    reconstruction = read_cameras(capture)
    views = [_shrink_photo(capture, folder, view, side) for view in reconstruction.views]
    write_reconstruction(folder / "sparse", replace(reconstruction, views=tuple(views)))
    points, source = read_points(capture, reconstruction)
    if source != "dense":
        raise ValueError(f"{capture} has no dense cloud")
    write_pointcloud(folder / "pointcloud.ply", _thinned(points, gaussian_budget(MODES["quality"].splat)))


def _shrink_photo(capture: Path, folder: Path, view: View, side: int) -> View:
    photo = read_photo(capture, view, side)
    path = folder / "images" / view.image
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return replace(view, K=photo.K, image_size_wh=(photo.pixels.shape[1], photo.pixels.shape[0]))


def _thinned(points: PointCloud, most: int) -> PointCloud:
    count = len(points.points_in_world)
    chosen = np.sort(np.random.default_rng(0).choice(count, min(most, count), replace=False))
    return PointCloud(
        points_in_world=points.points_in_world[chosen],
        normals=points.normals[chosen],
        colors=points.colors[chosen],
    )


if __name__ == "__main__":
    target = Path(sys.argv[2])
    shutil.rmtree(target, ignore_errors=True)
    shrink(Path(sys.argv[1]), target, SIDES[sys.argv[3]])
