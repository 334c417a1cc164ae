"""Meshes as binary glTF 2.0 (Khronos, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html).

Written by hand, since COLOR_0 is linear: the common exporters store it in 8 bits, which crushes the darkest
dozen sRGB levels into two; 16 bits keep them apart.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ds3d_pipeline import __version__
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.geometry.conventions import WORLD_FROM_GLTF, gltf_from_world, world_from_gltf
from ds3d_pipeline.scene import Float64, Int32, Mesh, UInt8

_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_COMPONENT_TYPES = {np.dtype("<f4"): 5126, np.dtype("<u2"): 5123, np.dtype("<u4"): 5125}
_DTYPES = {number: dtype for dtype, number in _COMPONENT_TYPES.items()}
_SHAPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_TRIANGLES = 4
ASSET = {"version": "2.0", "generator": f"ds3d {__version__}"}
_LINEAR_FILTER, _MIPMAP_FILTER, _CLAMP = 9729, 9987, 33071


def write_glb(path: Path, mesh: Mesh, *, jpeg_quality: int = 90) -> None:
    """Writes one textured or vertex-coloured mesh, y up, with the world's origin.

    WORLD_FROM_GLTF is in the node's extras, row by row. The material is unlit (KHR_materials_unlit): the
    photos' light is in the colours. Raises ValueError for a mesh without faces.
    """
    if not len(mesh.faces):
        raise ValueError("a mesh without faces cannot be written as glTF")
    parts = _Parts()
    attributes = _attributes(parts, mesh, gltf_from_world(mesh.vertices_in_world))
    indices = parts.accessor(_compact_indices(mesh), _ELEMENT_ARRAY_BUFFER)
    primitive = {"attributes": attributes, "indices": indices, "material": 0, "mode": _TRIANGLES}
    node = {"mesh": 0, "name": "mesh", "extras": {"world_from_gltf": WORLD_FROM_GLTF.tolist()}}
    document = {
        "asset": ASSET,
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"name": "mesh", "primitives": [primitive]}],
        "extensionsUsed": ["KHR_materials_unlit"],
        **_material(parts, mesh.texture, jpeg_quality),
    }
    write_chunks(path, {**document, **parts.tables()}, bytes(parts.buffer))


def name_parts(path: Path, owner: str) -> None:
    """Puts `owner` before the names of all nodes, meshes and materials of a GLB of ours."""
    document, buffer = _read_chunks(path)
    for part in (part for kind in ("nodes", "meshes", "materials") for part in document.get(kind, [])):
        part["name"] = f"{owner} {part['name']}"
    write_chunks(path, document, buffer)


def read_glb(path: Path) -> tuple[Mesh, Float64]:
    """Reads what `write_glb` wrote: the mesh in the world frame, and world_from_gltf (4, 4).

    Earlier versions centred the mesh, so the transform is that of the file. Raises StageError naming the file
    where it is missing, damaged or not of that kind.
    """
    try:
        document, buffer = _read_chunks(path)
        return _parse(document, buffer)
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise StageError(f"{path} is not a GLB of this pipeline ({error}).", "Run mesh again.") from error


def linear_from_srgb(srgb: ArrayLike) -> Float64:
    """Linear light of sRGB values, both in [0, 1] (IEC 61966-2-1)."""
    value = np.asarray(srgb, dtype=np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: ArrayLike) -> Float64:
    """sRGB values of linear light, both in [0, 1] (IEC 61966-2-1)."""
    value = np.asarray(linear, dtype=np.float64)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 0) ** (1 / 2.4) - 0.055)


def vertex_normals(vertices: Float64, faces: Int32) -> Float64:
    """(V, 3) unit normals, averaged by area over all faces at the same position, so seams stay smooth."""
    corners = vertices[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    _, place = np.unique(vertices, axis=0, return_inverse=True)
    place = place.reshape(-1)
    total = np.zeros((place.max() + 1, 3))
    for axis in range(3):
        weights = np.repeat(face_normals[:, axis], 3)
        total[:, axis] = np.bincount(place[faces.reshape(-1)], weights, minlength=len(total))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    up = np.array([0.0, 1.0, 0.0])
    return np.where(length > 0, total / np.where(length > 0, length, 1), up)[place]


@dataclass(kw_only=True)
class _Parts:
    """The binary chunk as it grows, and the tables that describe its layout."""

    buffer: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    accessors: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def view(self, data: bytes, **fields: object) -> int:
        self.buffer.extend(b"\0" * (-len(self.buffer) % 4))
        self.views.append({"buffer": 0, "byteOffset": len(self.buffer), "byteLength": len(data), **fields})
        self.buffer.extend(data)
        return len(self.views) - 1

    def accessor(self, values: NDArray[Any], target: int, **fields: object) -> int:
        columns = values.shape[1] if values.ndim > 1 else 1
        self.accessors.append(
            {
                "bufferView": self.view(np.ascontiguousarray(values).tobytes(), target=target),
                "componentType": _COMPONENT_TYPES[values.dtype.newbyteorder("<")],
                "count": len(values),
                "type": _SHAPES[columns],
                **fields,
            }
        )
        return len(self.accessors) - 1

    def tables(self) -> dict[str, Any]:
        return {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.buffer)}],
        }


def _attributes(parts: _Parts, mesh: Mesh, vertices: Float64) -> dict[str, int]:
    positions = vertices.astype("<f4")
    bounds = {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
    normals = vertex_normals(vertices, mesh.faces).astype("<f4")
    found = {
        "POSITION": parts.accessor(positions, _ARRAY_BUFFER, **bounds),
        "NORMAL": parts.accessor(normals, _ARRAY_BUFFER),
    }
    if mesh.texture is not None and mesh.uvs is not None:
        # glTF's texture origin is the upper left corner.
        uvs = np.stack([mesh.uvs[:, 0], 1 - mesh.uvs[:, 1]], axis=1).astype("<f4")
        found["TEXCOORD_0"] = parts.accessor(uvs, _ARRAY_BUFFER)
    elif mesh.vertex_colors is not None:
        found["COLOR_0"] = parts.accessor(_linear_rgba(mesh.vertex_colors), _ARRAY_BUFFER, normalized=True)
    return found


def _linear_rgba(srgb: UInt8) -> NDArray[np.uint16]:
    rgba = np.full((len(srgb), 4), 65535, dtype="<u2")
    rgba[:, :3] = np.round(65535 * linear_from_srgb(srgb / 255))
    return rgba


def _compact_indices(mesh: Mesh) -> NDArray[Any]:
    # The largest value of an index type restarts a primitive and may not be used.
    small = len(mesh.vertices_in_world) < 65535
    return mesh.faces.reshape(-1).astype("<u2" if small else "<u4")


def _material(parts: _Parts, texture: UInt8 | None, jpeg_quality: int) -> dict[str, Any]:
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    tables: dict[str, Any] = {}
    if texture is not None:
        surface["baseColorTexture"] = {"index": 0}
        image = parts.view(_jpeg(texture, jpeg_quality))
        tables["textures"] = [{"source": 0, "sampler": 0}]
        tables["images"] = [{"bufferView": image, "mimeType": "image/jpeg"}]
        tables["samplers"] = [
            {"magFilter": _LINEAR_FILTER, "minFilter": _MIPMAP_FILTER, "wrapS": _CLAMP, "wrapT": _CLAMP}
        ]
    material: dict[str, Any] = {
        "name": "photos",
        "doubleSided": True,
        "pbrMetallicRoughness": surface,
        "extensions": {"KHR_materials_unlit": {}},
    }
    return {"materials": [material], **tables}


def _jpeg(rgb: UInt8, quality: int) -> bytes:
    import cv2

    done, data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a texture of shape {rgb.shape} cannot be written as JPEG")
    return data.tobytes()


def write_chunks(path: Path, document: dict[str, Any], buffer: bytes) -> None:
    """Writes a GLB of a JSON and a binary chunk; no reader ever sees half of it."""
    text = json.dumps(document, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 4)
    buffer += b"\0" * (-len(buffer) % 4)
    size = 12 + 8 + len(text) + 8 + len(buffer)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        file.write(struct.pack("<III", _MAGIC, _VERSION, size))
        file.write(struct.pack("<II", len(text), _JSON) + text)
        file.write(struct.pack("<II", len(buffer), _BIN) + buffer)
    os.replace(partial, path)


def _read_chunks(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    magic, version, size = struct.unpack_from("<III", content)
    if (magic, version, size) != (_MAGIC, _VERSION, len(content)):
        raise ValueError("its header or its length is wrong")
    length, _ = struct.unpack_from("<II", content, 12)
    return json.loads(content[20 : 20 + length]), content[28 + length :]


def _parse(document: dict[str, Any], buffer: bytes) -> tuple[Mesh, Float64]:
    primitive = document["meshes"][0]["primitives"][0]
    found = {name: _values(document, buffer, index) for name, index in primitive["attributes"].items()}
    transform = np.array(document["nodes"][0]["extras"]["world_from_gltf"], dtype=np.float64)
    vertices = world_from_gltf(found["POSITION"]) + transform[:3, 3]
    colors, uvs = found.get("COLOR_0"), found.get("TEXCOORD_0")
    mesh = Mesh(
        vertices_in_world=vertices.astype(np.float32),
        faces=_values(document, buffer, primitive["indices"]).reshape(-1, 3).astype(np.int32),
        vertex_colors=None if colors is None else _srgb(colors),
        uvs=None if uvs is None else np.stack([uvs[:, 0], 1 - uvs[:, 1]], axis=1),
        texture=_texture(document, buffer),
    )
    return mesh, transform


def _values(document: dict[str, Any], buffer: bytes, index: int) -> NDArray[Any]:
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    columns = {name: number for number, name in _SHAPES.items()}[accessor["type"]]
    dtype = _DTYPES[accessor["componentType"]]
    values = np.frombuffer(buffer, dtype, accessor["count"] * columns, view["byteOffset"])
    return values if columns == 1 else values.reshape(-1, columns)


def _srgb(linear_rgba: NDArray[np.uint16]) -> UInt8:
    return np.round(255 * srgb_from_linear(linear_rgba[:, :3] / 65535)).astype(np.uint8)


def _texture(document: dict[str, Any], buffer: bytes) -> UInt8 | None:
    from ds3d_pipeline.formats.images import decode_rgb

    if "images" not in document:
        return None
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    start = view["byteOffset"]
    rgb = decode_rgb(buffer[start : start + view["byteLength"]])
    if rgb is None:
        raise ValueError("its texture is not an image")
    return rgb
