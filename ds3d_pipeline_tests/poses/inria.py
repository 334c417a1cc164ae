"""A reader of COLMAP scenes by the format's description, as Inria's 3DGS and its descendants have it."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ds3d_pipeline.geometry.transforms import rigid, rotation_from_quat_wxyz

PARAMETERS = {0: 3, 1: 4}
"""Of SIMPLE_PINHOLE and PINHOLE; such trainers refuse all others."""


@dataclass(frozen=True, kw_only=True)
class SceneCamera:
    """What they train from."""

    image: Path
    size_wh: tuple[int, int]
    focals: tuple[float, float]
    cam_from_world: np.ndarray


def read_scene(folder: Path) -> list[SceneCamera]:
    """The cameras in `sparse/0/`, by the names of their pictures in `images/`."""
    intrinsics = _cameras((folder / "sparse/0/cameras.bin").read_bytes())
    poses = _images((folder / "sparse/0/images.bin").read_bytes())
    return [
        SceneCamera(image=folder / "images" / name, **intrinsics[camera], cam_from_world=pose)
        for name, camera, pose in sorted(poses, key=lambda pose: pose[0])
    ]


def _cameras(content: bytes) -> dict[int, dict]:
    (count,), place = struct.unpack_from("<Q", content), 8
    found = {}
    for _ in range(count):
        number, model, width, height = struct.unpack_from("<iiQQ", content, place)
        values = struct.unpack_from(f"<{PARAMETERS[model]}d", content, place + 24)
        found[number] = {"size_wh": (width, height), "focals": (values[0], values[1 if model else 0])}
        place += 24 + 8 * PARAMETERS[model]
    return found


def _images(content: bytes) -> list[tuple[str, int, np.ndarray]]:
    (count,), place = struct.unpack_from("<Q", content), 8
    found = []
    for _ in range(count):
        _, *pose, camera = struct.unpack_from("<i7di", content, place)
        end = content.index(b"\0", place + 64)
        name = content[place + 64 : end].decode()
        (points,) = struct.unpack_from("<Q", content, end + 1)
        place = end + 9 + 24 * points
        rotation = rotation_from_quat_wxyz(np.array(pose[:4]))
        found.append((name, camera, rigid(rotation, np.array(pose[4:]))))
    assert place == len(content)
    return found
