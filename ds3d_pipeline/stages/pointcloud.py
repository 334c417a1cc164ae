"""The card of the stage `pointcloud`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ds3d_pipeline.pointcloud.options import PointcloudOptions
from ds3d_pipeline.pointcloud.report import PointcloudReport
from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.stages.stage import VALID_FILES, Product, Stage


def _check_files(folder: Path) -> Iterator[str]:
    import numpy as np

    from ds3d_pipeline.formats.ply import read_pointcloud

    cloud = read_pointcloud(folder / "pointcloud.ply")
    if not len(cloud.points_in_world):
        yield "pointcloud.ply is empty."
    if not np.isfinite(cloud.points_in_world).all():
        yield "pointcloud.ply contains points that are not finite."


CARD = Stage(
    name="pointcloud",
    label="Point cloud",
    about="Coloured points with normals.",
    options=PointcloudOptions,
    report=PointcloudReport,
    code_version="4",
    reads=("poses", "depth_maps"),
    rungs=(
        Rung(name="fusion", module="ds3d_pipeline.pointcloud", label="fusion", summary="fused depth maps"),
    ),
    gates=(VALID_FILES,),
    check_files=_check_files,
    products=(
        Product(
            name="pointcloud.ply",
            source="pointcloud.ply",
            about="Coloured points with normals. Opens in CloudCompare and MeshLab.",
        ),
    ),
    kinds=("numpy",),
)
