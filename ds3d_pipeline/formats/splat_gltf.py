"""Gaussian splats as binary glTF 2.0 with KHR_gaussian_splatting (Khronos, ratified 2026).

A primitive of points whose attributes are linear scales, linear opacities, xyzw rotations and harmonics by
degree and order; a reader that does not know the extension shows COLOR_0 points. The node turns the world
into glTF's axes, so that means, rotations and harmonics stay as they are in the PLY.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ds3d_pipeline.formats.gltf import ASSET, linear_from_srgb, write_chunks
from ds3d_pipeline.geometry.conventions import GLTF_FROM_WORLD
from ds3d_pipeline.geometry.transforms import quat_wxyz_from_rotation
from ds3d_pipeline.scene import Float32, Float64, Gaussians

EXTENSION = "KHR_gaussian_splatting"
_SH_C0 = 0.28209479177387814
_POINTS, _FLOAT, _ARRAY_BUFFER = 0, 5126, 34962
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}


def write_splat_glb(path: Path, gaussians: Gaussians) -> None:
    """Writes all Gaussians so that no reader ever sees half a file.

    Raises ValueError for an empty splat, harmonics beyond degree 3 or values that are not finite.
    """
    if not len(gaussians.means):
        raise ValueError("a splat without Gaussians cannot be written as glTF")
    attributes = _attributes(gaussians)
    if not all(np.isfinite(values).all() for values in attributes.values()):
        raise ValueError("a splat with values that are not finite cannot be written")
    buffer = b"".join(values.tobytes() for values in attributes.values())
    write_chunks(path, _document(attributes, len(buffer)), buffer)


def _attributes(gaussians: Gaussians) -> dict[str, Float32]:
    count, sh_count = gaussians.sh_coeffs.shape[:2]
    if sh_count not in (1, 4, 9, 16):
        raise ValueError(f"sh_coeffs must hold 1, 4, 9 or 16 coefficients, got {sh_count}")
    opacity = 1 / (1 + np.exp(-gaussians.opacity_logits.astype(np.float64)))
    quats = gaussians.quats_wxyz / np.linalg.norm(gaussians.quats_wxyz, axis=1, keepdims=True)
    found = {
        "POSITION": gaussians.means,
        "COLOR_0": _fallback_colors(gaussians.sh_coeffs[:, 0], opacity),
        f"{EXTENSION}:SCALE": np.exp(gaussians.log_scales),
        f"{EXTENSION}:ROTATION": quats[:, [1, 2, 3, 0]],
        f"{EXTENSION}:OPACITY": opacity,
    }
    for degree in range(int(np.sqrt(sh_count))):
        for order in range(2 * degree + 1):
            found[f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{order}"] = gaussians.sh_coeffs[:, degree**2 + order]
    return {name: np.ascontiguousarray(values, "<f4").reshape(count, -1) for name, values in found.items()}


def _fallback_colors(dc: Float32, opacity: Float64) -> Float64:
    srgb = np.clip(dc * _SH_C0 + 0.5, 0, 1)
    return np.concatenate([linear_from_srgb(srgb), opacity[:, None]], axis=1)


def _document(attributes: dict[str, Float32], size: int) -> dict[str, Any]:
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    offset = 0
    for index, (name, values) in enumerate(attributes.items()):
        views.append(
            {"buffer": 0, "byteOffset": offset, "byteLength": values.nbytes, "target": _ARRAY_BUFFER}
        )
        bounds = {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        accessors.append(
            {
                "bufferView": index,
                "componentType": _FLOAT,
                "count": len(values),
                "type": _TYPES[values.shape[1]],
                **(bounds if name == "POSITION" else {}),
            }
        )
        offset += values.nbytes
    splatting = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}
    primitive = {
        "mode": _POINTS,
        "attributes": {name: index for index, name in enumerate(attributes)},
        "extensions": {EXTENSION: splatting},
    }
    turn_xyzw = np.roll(quat_wxyz_from_rotation(GLTF_FROM_WORLD), -1)
    return {
        "asset": ASSET,
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "splat", "rotation": turn_xyzw.tolist()}],
        "meshes": [{"name": "splat", "primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": size}],
    }
