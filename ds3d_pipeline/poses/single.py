"""The last rung of poses: a single camera, if none could be registered together."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.keyframes.focal import FULL_FRAME_DIAGONAL_MM
from ds3d_pipeline.poses.diagnosis.registration import describe_unregistered
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.poses.report import PosesReport
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.scene import Keyframe, Keyframes

ASSUMED_FOCAL_35MM = 26.0
"""The typical main camera of a phone."""


@dataclass(frozen=True, kw_only=True)
class Focal:
    """A focal length and where it is from."""

    px: float
    source: str
    """`EXIF` or `assumed`."""


def single_view(work: Work[PosesOptions]) -> PosesReport:
    """Writes a model of the sharpest keyframe alone: camera at the origin, held level, without points."""
    keyframes = read_json(work.input / "keyframes.json", Keyframes)
    frame = max(keyframes.frames, key=lambda frame: frame.sharpness)
    focal = focal_of(frame)
    write_single(work.output / "sparse", frame, focal.px)
    images = clear_folder(work.output / "images")
    shutil.copyfile(work.input / "images" / frame.image, images / frame.image)
    work.progress(1.0, "using a single photo")
    return PosesReport(
        registered=1,
        total=len(keyframes.frames),
        mean_reprojection_error_px=None,
        points=0,
        unregistered=tuple(other.image for other in keyframes.frames if other is not frame),
        **vars(describe_unregistered(keyframes, {frame.image})),
        focal_px=round(focal.px, 2),
        focal_from=focal.source,
        seed=work.options.seed,
    )


def focal_of(frame: Keyframe) -> Focal:
    """The focal length from EXIF, else that of a typical phone."""
    if frame.focal_px is not None:
        return Focal(px=frame.focal_px, source="EXIF")
    px = ASSUMED_FOCAL_35MM / FULL_FRAME_DIAGONAL_MM * math.hypot(*frame.size_wh)
    return Focal(px=px, source="assumed")


def write_single(folder: Path, frame: Keyframe, focal_px: float) -> None:
    """A COLMAP model of one PINHOLE image at the origin, without points."""
    width, height = frame.size_wh
    params = [focal_px, focal_px, width / 2, height / 2]
    camera = pycolmap.Camera(model="PINHOLE", width=width, height=height, params=params, camera_id=1)
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(camera)
    image = pycolmap.Image(name=frame.image, camera_id=1, image_id=1)
    model.add_image_with_trivial_frame(image, pycolmap.Rigid3d())
    model.write(clear_folder(folder))
