"""The body of the pointcloud program."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_depth_map, read_reconstruction
from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.formats.ply import write_pointcloud
from ds3d_pipeline.pointcloud.cleaning import sparse_cloud, thinned, without_outliers
from ds3d_pipeline.pointcloud.fusion import (
    FusionView,
    concatenate,
    fuse_views,
    fusion_view,
    neighbours_of,
    shared_points,
)
from ds3d_pipeline.pointcloud.options import FusionOptions, PointcloudOptions
from ds3d_pipeline.pointcloud.report import PointcloudReport
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.scene import PointCloud, Reconstruction, View

MIN_POINTS = 50
MEASURED_CONFIDENCE = 0.5
"""Maps that nowhere exceed this were interpolated, not measured."""
VIEWS_IN_MEMORY = 16
log = logging.getLogger(__name__)


def fuse(work: Work[PointcloudOptions]) -> PointcloudReport:
    """Fuses the depth maps of INPUT into OUTPUT/pointcloud.ply, with the sparse points where that is little.

    Raises StageError where fewer than `MIN_POINTS` points come out.
    """
    reconstruction = read_reconstruction(work.input / "sparse")
    centres = np.array([view.centre_in_world for view in reconstruction.views])
    fused, maps = _fused(work, reconstruction)
    sparse = sparse_cloud(reconstruction)
    source = "fused" if len(fused.points_in_world) > 4 * len(sparse.points_in_world) else "fused and sparse"
    if not len(fused.points_in_world):
        source = "sparse"
    cloud = fused if source == "fused" else concatenate([fused, sparse])
    before = len(cloud.points_in_world)
    work.progress(0.8, f"{before} points, removing outliers")
    cloud = without_outliers(thinned(cloud, work.options.max_points), centres)
    _require_points(cloud, work.input, maps)
    write_pointcloud(work.output / "pointcloud.ply", cloud)
    work.progress(1.0, f"{len(cloud.points_in_world)} points")
    log.info("%d of %d points kept (%s)", len(cloud.points_in_world), before, source)
    return PointcloudReport(
        points=len(cloud.points_in_world), source=source, fused=len(fused.points_in_world)
    )


def _fused(work: Work[PointcloudOptions], reconstruction: Reconstruction) -> tuple[PointCloud, int]:
    """The fused points, and of how many maps."""
    has_map = [(work.input / "depth" / f"{v.image}.bin").is_file() for v in reconstruction.views]
    mapped = [index for index, there in enumerate(has_map) if there]
    if not mapped:
        return _no_points(), 0
    views = [reconstruction.views[index] for index in mapped]
    counts = shared_points(reconstruction)[np.ix_(mapped, mapped)]

    @lru_cache(maxsize=VIEWS_IN_MEMORY)
    def load(index: int) -> FusionView:
        return _load(work.input, views[index])

    options = _options(work, views)
    neighbours = [neighbours_of(counts, index, options.max_neighbours) for index in range(len(views))]
    part = work.progress.part(0.0, 0.8)
    return fuse_views(load, neighbours, options, lambda fraction: part(fraction, "fusing")), len(views)


def _options(work: Work[PointcloudOptions], views: list[View]) -> FusionOptions:
    """Strict for measured maps; interpolated ones are smooth guesses that agree only roughly."""
    measured = any(read_depth_map(work.input, v).confidence.max() > MEASURED_CONFIDENCE for v in views[:3])
    options = work.options.fusion if measured else work.options.fusion_of_interpolated
    return replace(options, min_views=min(options.min_views, len(views)))


def _load(folder: Path, view: View) -> FusionView:
    depth_map = read_depth_map(folder, view).supported()
    height, width = depth_map.depth.shape
    return fusion_view(view, depth_map, read_rgb(folder / "images" / view.image, size_wh=(width, height)))


def _no_points() -> PointCloud:
    none = np.zeros((0, 3), np.float32)
    return PointCloud(points_in_world=none, normals=none, colors=np.zeros((0, 3), np.uint8))


def _require_points(cloud: PointCloud, folder: Path, maps: int) -> None:
    count = len(cloud.points_in_world)
    if count < MIN_POINTS:
        raise StageError(
            f"Only {count} points came out of {maps} depth maps and the sparse points of {folder}.",
            "Photograph the scene again, slowly and from more sides, with at least two thirds of overlap.",
        )
