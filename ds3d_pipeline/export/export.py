"""One finished capture in one other format."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.export.placing import Crop, Placing, cropped_mesh, cropped_points
from ds3d_pipeline.export.surfaces import refuse_existing, write_obj, write_stl
from ds3d_pipeline.export.usdz import write_usdz
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.metrics.record import load_metrics
from ds3d_pipeline.scene import PointCloud

NEEDED = {"usdz": ("pxr", "usd-core"), "las": ("laspy", "laspy")}
"""The module that a format needs, and the package that brings it."""
UP = {"stl": "z", "las": "z"}
"""The axis that points up in programs for a format, where it is not y."""
MM_PER_M = 1000.0


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to write, and how."""

    format: str
    file: Path | None = None
    """None: named after the capture, in the current folder."""
    crop: Crop | None = None
    up: str | None = None
    """y or z; None: as usual for the format."""
    scale: float | None = None
    """Units of the file per unit of the capture; None: millimetres in STL where metres are known, else 1."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    files: tuple[Path, ...]
    note: str
    """The unit of the file, in one sentence."""


def export_capture(folder: Path, request: ExportRequest) -> Exported:
    """Writes the file. Raises InputError where the capture, the format or the place does not allow it."""
    metrics = load_metrics(folder / "metrics.json")
    path = request.file or Path(f"{metrics.capture}.{request.format}")
    _refuse(request, path)
    is_metric = metrics.scale != "arbitrary"
    if request.format == "html":
        shutil.copyfile(_part(folder, "view.html"), path)
        return Exported(files=(path,), note="It shows mesh and splat in any browser, without network.")
    placing = _placing(request, is_metric=is_metric)
    beside = _write(folder, path, request, placing)
    return Exported(files=(path, *beside), note=_unit_note(request, placing, is_metric=is_metric))


def _refuse(request: ExportRequest, path: Path) -> None:
    if request.format == "html" and (request.crop or request.up or request.scale):
        raise InputError("html shows the capture as it is.", "Leave out --crop, --up and --scale.")
    if request.format == "usdz" and request.up == "z":
        raise InputError("Quick Look takes y for up.", "Leave out --up.")
    if request.scale is not None and not (np.isfinite(request.scale) and request.scale > 0):
        raise InputError(f"{request.scale:g} is not a scale.", "Give a number above 0, such as 1000.")
    module, package = NEEDED.get(request.format, ("", ""))
    if module and importlib.util.find_spec(module) is None:
        remedy = "Install it: pip install 'ds3d-pipeline[export]', in the environment of ds3d."
        raise InputError(f"Exporting {request.format} needs the package {package}.", remedy)
    refuse_existing(path)
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} does not exist.", "Make it, or give another --file.")


def _part(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise InputError(f"The capture has no {name}.", f"{folder / 'report.html'} says why.")
    return folder / name


def _placing(request: ExportRequest, *, is_metric: bool) -> Placing:
    usual = MM_PER_M if request.format == "stl" and is_metric else 1.0
    return Placing(
        crop=request.crop,
        up=request.up or UP.get(request.format, "y"),
        scale=usual if request.scale is None else request.scale,
    )


def _write(folder: Path, path: Path, request: ExportRequest, placing: Placing) -> list[Path]:
    """Writes the file, whole or not at all; returns what else there is beside it."""
    if request.format == "obj":
        return write_obj(path, cropped_mesh(read_glb(_part(folder, "model.glb"))[0], request.crop), placing)
    # In a folder of its own: no name beside the file is surely free.
    with tempfile.TemporaryDirectory(prefix=".ds3d-", dir=path.parent) as scratch:
        partial = Path(scratch) / f"{path.stem}.{request.format}"
        if request.format == "las":
            cloud = read_pointcloud(_part(folder, "pointcloud.ply"))
            write_las(partial, cropped_points(cloud, request.crop), placing)
        else:
            mesh = cropped_mesh(read_glb(_part(folder, "model.glb"))[0], request.crop)
            {"stl": write_stl, "usdz": write_usdz}[request.format](partial, mesh, placing)
        partial.replace(path)
    return []


def write_las(path: Path, cloud: PointCloud, placing: Placing) -> None:
    """Writes the coloured points as LAS 1.4, to a ten-millionth of their extent."""
    laspy: Any = import_module("laspy")
    points = placing.points(cloud.points_in_world)
    header = laspy.LasHeader(point_format=7, version="1.4")
    header.offsets = points.min(axis=0)
    header.scales = np.full(3, max(float(np.ptp(points, axis=0).max()), 1e-6) * 1e-7)
    las = laspy.LasData(header)
    las.x, las.y, las.z = points.T
    las.red, las.green, las.blue = cloud.colors.T.astype(np.uint16) * 257
    las.write(str(path))


def _unit_note(request: ExportRequest, placing: Placing, *, is_metric: bool) -> str:
    if request.scale is not None:
        unit = "metre" if is_metric else "unit"
        return f"One {unit} of the capture is {placing.scale:g} in the file."
    if not is_metric:
        return (
            "The scale of this capture is not known, so lengths are arbitrary: measure one, and give --scale."
        )
    return "Lengths are millimetres." if request.format == "stl" else "Lengths are metres."
