"""What is known exactly of a synthetic capture, and its files: `truth.json` and `truth_mesh.npz`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.scene import Float64, Int32

Rows = list[list[float]]


@dataclass(frozen=True, kw_only=True)
class TruthFrame:
    """One photo, or one frame of the video."""

    image: str
    """The photo's file name; of a video frame, its number as a name."""
    timestamp_s: float | None
    """Middle of the exposure by the video's clock; None for photos."""
    cam_from_world: Float64
    """(4, 4) at the middle of the exposure."""

    @property
    def centre_in_world(self) -> Float64:
        """(3,) metres."""
        return -self.cam_from_world[:3, :3].T @ self.cam_from_world[:3, 3]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A synthetic capture's cameras and surface: metres, +y down."""

    input: Path
    """What the pipeline takes: the folder of photos, or the video."""
    size_wh: tuple[int, int]
    K: Float64
    """(3, 3) pixels."""
    radial_k1: float
    """Distortion of the photos, as in COLMAP's SIMPLE_RADIAL."""
    frames: tuple[TruthFrame, ...]
    vertices: Float64
    """(V, 3) of the whole scene."""
    faces: Int32
    """(F, 3) counter-clockwise seen from outside."""
    seen_points: Float64
    """(N, 3) even samples of the part of the surface that at least two frames see."""


@dataclass(frozen=True, kw_only=True)
class _FrameFile:
    image: str
    timestamp_s: float | None
    cam_from_world: Rows


@dataclass(frozen=True, kw_only=True)
class _TruthFile:
    input: str
    size_wh: tuple[int, int]
    K: Rows
    radial_k1: float
    frames: list[_FrameFile]


def save_truth(folder: Path, truth: Truth) -> None:
    """Writes `truth.json` and `truth_mesh.npz`; `truth.input` must be in the folder."""
    frames = [
        _FrameFile(
            image=frame.image, timestamp_s=frame.timestamp_s, cam_from_world=frame.cam_from_world.tolist()
        )
        for frame in truth.frames
    ]
    record = _TruthFile(
        input=str(truth.input.relative_to(folder)),
        size_wh=truth.size_wh,
        K=truth.K.tolist(),
        radial_k1=truth.radial_k1,
        frames=frames,
    )
    write_json(folder / "truth.json", record)
    arrays = {"vertices": truth.vertices, "faces": truth.faces, "seen_points": truth.seen_points}
    np.savez_compressed(folder / "truth_mesh.npz", **arrays)


def load_truth(folder: Path) -> Truth:
    """Reads what `save_truth` wrote; raises InputError where the files are missing."""
    for name in ("truth.json", "truth_mesh.npz"):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder / name} does not exist.",
                "Give the folder that make_capture wrote, or make it anew.",
            )
    record = read_json(folder / "truth.json", _TruthFile)
    with np.load(folder / "truth_mesh.npz") as arrays:
        vertices, faces, seen_points = arrays["vertices"], arrays["faces"], arrays["seen_points"]
    frames = [
        TruthFrame(image=f.image, timestamp_s=f.timestamp_s, cam_from_world=np.array(f.cam_from_world))
        for f in record.frames
    ]
    return Truth(
        input=folder / record.input,
        size_wh=record.size_wh,
        K=np.array(record.K),
        radial_k1=record.radial_k1,
        frames=tuple(frames),
        vertices=vertices,
        faces=faces,
        seen_points=seen_points,
    )
