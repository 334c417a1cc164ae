"""Point clouds as binary little-endian PLY (Turk, The PLY Polygon File Format, 1994)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.scene import PointCloud

_POINT = np.dtype(
    [(n, "<f4") for n in ("x", "y", "z", "nx", "ny", "nz")] + [(n, "u1") for n in ("red", "green", "blue")]
)
_DTYPES = {
    **dict.fromkeys(("char", "int8"), "<i1"),
    **dict.fromkeys(("uchar", "uint8"), "<u1"),
    **dict.fromkeys(("short", "int16"), "<i2"),
    **dict.fromkeys(("ushort", "uint16"), "<u2"),
    **dict.fromkeys(("int", "int32"), "<i4"),
    **dict.fromkeys(("uint", "uint32"), "<u4"),
    **dict.fromkeys(("float", "float32"), "<f4"),
    **dict.fromkeys(("double", "float64"), "<f8"),
}


def write_pointcloud(path: Path, cloud: PointCloud) -> None:
    """Writes x y z nx ny nz (float) red green blue (uchar); no reader ever sees half of it."""
    vertices = np.empty(len(cloud.points_in_world), _POINT)
    vertices["x"], vertices["y"], vertices["z"] = cloud.points_in_world.T
    vertices["nx"], vertices["ny"], vertices["nz"] = cloud.normals.T
    vertices["red"], vertices["green"], vertices["blue"] = cloud.colors.T
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        file.write(_header(len(vertices)))
        vertices.tofile(file)
    os.replace(partial, path)


def _header(count: int) -> bytes:
    floats, colors = ("x", "y", "z", "nx", "ny", "nz"), ("red", "green", "blue")
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    lines += [f"property float {name}" for name in floats] + [f"property uchar {name}" for name in colors]
    return ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")


def read_pointcloud(path: Path) -> PointCloud:
    """Reads a binary little-endian PLY whose first element is the vertices, its properties in any order.

    Raises StageError naming the file where it is missing, cut short or without positions, normals, colours.
    """
    try:
        content = path.read_bytes()
        count, dtype, start = _parse_header(content)
        vertices = np.frombuffer(content, dtype, count, start)
        return PointCloud(
            points_in_world=_columns(vertices, ("x", "y", "z")).astype(np.float32),
            normals=_columns(vertices, ("nx", "ny", "nz")).astype(np.float32),
            colors=_columns(vertices, ("red", "green", "blue")).astype(np.uint8),
        )
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise StageError(f"{path} is not a usable point cloud ({error}).", "Run pointcloud again.") from error


def _columns(vertices: NDArray[np.void], names: tuple[str, ...]) -> NDArray[np.generic]:
    return np.stack([vertices[name] for name in names], axis=1)


def _parse_header(content: bytes) -> tuple[int, np.dtype[np.void], int]:
    """Number of vertices, their layout, and where they start."""
    head, mark, _ = content.partition(b"end_header\n")
    lines = [line.split() for line in head.decode("ascii").splitlines()]
    if not mark or lines[:2] != [["ply"], ["format", "binary_little_endian", "1.0"]]:
        raise ValueError("no header of a binary little-endian PLY")
    elements = [index for index, line in enumerate(lines) if line[:1] == ["element"]]
    _, name, count = lines[elements[0]]
    if name != "vertex":
        raise ValueError(f"its first element is {name}")
    end = elements[1] if len(elements) > 1 else len(lines)
    properties = [line for line in lines[elements[0] : end] if line[0] == "property"]
    return int(count), np.dtype([(line[2], _DTYPES[line[1]]) for line in properties]), len(head) + len(mark)
