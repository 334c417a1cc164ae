"""Gaussian splats in the PLY convention of Kerbl et al. (2023), as Inria's code writes it.

Binary little endian float32, one vertex a Gaussian: `x y z nx ny nz f_dc_0..2 f_rest_* opacity scale_0..2
rot_0..3`. Scales are logarithms, opacities logits, rotations wxyz; `f_rest` holds all red coefficients above
degree 0, then all green, then all blue.
"""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.scene import Float32, Gaussians

_REMEDY = "Give a binary little-endian PLY file of a Gaussian splat."
_MAX_HEADER_BYTES = 65_536


def write_splat_ply(path: Path, gaussians: Gaussians) -> None:
    """Writes all Gaussians so that no reader ever sees half a file.

    Raises ValueError where the arrays' shapes do not belong together or a value is not finite.
    """
    table = _table(gaussians)
    names = property_names(gaussians.sh_coeffs.shape[1])
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    header += [f"property float {name}" for name in names] + ["end_header", ""]
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        file.write("\n".join(header).encode("ascii"))
        file.write(table.astype("<f4", copy=False).tobytes())
    os.replace(partial, path)


def read_splat_ply(path: Path) -> Gaussians:
    """Reads a splat, whatever the order of its properties; properties it does not know are ignored.

    Raises InputError naming the file where it is no such PLY or ends early.
    """
    content = path.read_bytes()
    names, count, start = _read_header(path, content)
    if len(content) - start < 4 * count * len(names):
        raise InputError(f"{path} ends before its last Gaussian.", _REMEDY)
    values = np.frombuffer(content, "<f4", count * len(names), start).reshape(count, len(names))
    columns = {name: column for column, name in enumerate(names)}
    rest = 3 * (_sh_count(path, names) - 1)
    missing = [name for name in property_names(rest // 3 + 1) if name not in columns and name[0] != "n"]
    if missing:
        raise InputError(f"{path} lacks the property {missing[0]} of a Gaussian splat.", _REMEDY)
    return _gaussians(values, columns, rest)


def write_gzip(path: Path, source: Path) -> None:
    """Compresses `source` into `path`; no name or time goes in, so equal contents give equal bytes."""
    partial = path.with_name(path.name + ".part")
    with (
        source.open("rb") as plain,
        partial.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed,
    ):
        shutil.copyfileobj(plain, packed, 1 << 20)
    os.replace(partial, path)


def property_names(sh_count: int) -> tuple[str, ...]:
    """The vertex properties in order, for `sh_count` = (degree + 1)^2 coefficients per colour."""
    rest = tuple(f"f_rest_{i}" for i in range(3 * (sh_count - 1)))
    return (
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"),
        *rest,
        *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    )


def _table(gaussians: Gaussians) -> Float32:
    count, sh_count = gaussians.sh_coeffs.shape[:2]
    if sh_count not in (1, 4, 9, 16):
        raise ValueError(f"sh_coeffs must hold 1, 4, 9 or 16 coefficients, got {sh_count}")
    parts = (
        gaussians.means.reshape(count, 3),
        np.zeros((count, 3), np.float32),
        gaussians.sh_coeffs[:, 0],
        gaussians.sh_coeffs[:, 1:].transpose(0, 2, 1).reshape(count, 3 * (sh_count - 1)),
        gaussians.opacity_logits.reshape(count, 1),
        gaussians.log_scales.reshape(count, 3),
        gaussians.quats_wxyz.reshape(count, 4),
    )
    table = np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")
    if not np.isfinite(table).all():
        raise ValueError("a splat with values that are not finite cannot be written")
    return table


def _read_header(path: Path, content: bytes) -> tuple[list[str], int, int]:
    """The vertex properties, the number of vertices and the offset of the first."""
    end = content.find(b"end_header\n", 0, _MAX_HEADER_BYTES)
    lines = [line.split() for line in content[: max(end, 0)].decode("ascii", "replace").splitlines()]
    elements = [words for words in lines if words[:1] == ["element"]]
    if (
        not content.startswith(b"ply")
        or ["format", "binary_little_endian", "1.0"] not in lines
        or len(elements) != 1
        or elements[0][1] != "vertex"
    ):
        raise InputError(f"{path} is not a binary PLY file with vertices only.", _REMEDY)
    properties = [words for words in lines if words[:1] == ["property"]]
    if any(words[1] not in ("float", "float32") for words in properties):
        raise InputError(f"{path} has a property that is not a float.", _REMEDY)
    return [words[2] for words in properties], int(elements[0][2]), end + len(b"end_header\n")


def _sh_count(path: Path, names: list[str]) -> int:
    rest = sum(name.startswith("f_rest_") for name in names)
    if rest not in (0, 9, 24, 45):
        raise InputError(f"{path} has {rest} f_rest properties, not 0, 9, 24 or 45.", _REMEDY)
    return rest // 3 + 1


def _gaussians(values: Float32, columns: dict[str, int], rest: int) -> Gaussians:
    def stack(*names: str) -> Float32:
        places = [columns[name] for name in names]
        first, count = places[0], len(places)
        # A slice is ten times as fast as a list of columns.
        in_order = places == list(range(first, first + count))
        return values[:, first : first + count].copy() if in_order else values[:, places]

    dc = stack("f_dc_0", "f_dc_1", "f_dc_2")
    sh_coeffs = dc[:, None]
    if rest:
        above = stack(*(f"f_rest_{i}" for i in range(rest)))
        sh_coeffs = np.concatenate([sh_coeffs, above.reshape(len(dc), 3, -1).transpose(0, 2, 1)], axis=1)
    return Gaussians(
        means=stack("x", "y", "z"),
        quats_wxyz=stack("rot_0", "rot_1", "rot_2", "rot_3"),
        log_scales=stack("scale_0", "scale_1", "scale_2"),
        opacity_logits=stack("opacity")[:, 0],
        sh_coeffs=np.ascontiguousarray(sh_coeffs),
    )
