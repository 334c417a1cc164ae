"""What the finished stages of a capture have to show while the others still work.

| stage | shown |
|---|---|
| keyframes, depth_maps | a picture |
| poses, pointcloud | the points as small Gaussians (SPZ), the sparse ones with the cameras |
| mesh | the mesh (GLB) |
| splat | the newest picture of the training |
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from upath import UPath

from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.formats.spz import write_spz
from ds3d_pipeline.report.view_scene import ViewScene, camera_wedges, describe_scene, read_model
from ds3d_pipeline.scene import PointCloud, Reconstruction
from ds3d_pipeline.splats.light import light_splat
from ds3d_pipeline.storage.bundles import current_version
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.web.preview import KIND, MAKING, preview_folder

PICTURES = {"keyframes": "contact_sheet.jpg", "depth_maps": "preview.jpg"}
POINTS = {"poses": "sparse/points3D.bin", "pointcloud": "pointcloud.ply"}
MESH = "model.glb"
MAX_POINTS = 100_000


@dataclass(frozen=True, kw_only=True)
class Growing:
    """A capture and the run that makes it."""

    home: Home
    capture: str
    run_id: str | None
    """None where it has none: then what is stored is shown."""

    def bundle(self, stage: str) -> Path | None:
        """The stored files of a stage: those that the run made or reads, else the current ones.

        None where there are none, or where they are not on a disk of this machine.
        """
        place = Path(self.home.storage) / stage / self.capture
        used = run_journal(self.home, self.run_id).used(stage) if self.run_id else None
        version = used or (current_version(UPath(place)) if place.is_dir() else None)
        folder = place / version if version else None
        return folder if folder and folder.is_dir() else None


def stage_view(growing: Growing, stage: str) -> Path | None:
    """The file that shows a stage; None as long as there is nothing to see of it."""
    if stage == "splat":
        return _newest_of_training(growing)
    bundle = growing.bundle(stage)
    if bundle is None:
        return None
    if stage in POINTS:
        return _points(growing, stage, bundle) if (bundle / POINTS[stage]).is_file() else None
    path = bundle / (PICTURES | {"mesh": MESH}).get(stage, "")
    return path if path.is_file() else None


def growing_scene(growing: Growing) -> ViewScene:
    """Where a view begins as soon as the cameras are known; a unit has the finished capture only."""
    bundle = growing.bundle("poses")
    model = read_model(bundle) if bundle else None
    scene = describe_scene(model, None)
    return replace(scene, cameras=camera_wedges(model)) if model else scene


def _newest_of_training(growing: Growing) -> Path | None:
    folder = growing.home.work / str(growing.run_id) / "splat" / "output" / "previews"
    pictures = sorted(folder.glob("*.jpg"))
    return pictures[-1] if pictures else None


def _points(growing: Growing, stage: str, bundle: Path) -> Path | None:
    target = preview_folder(growing.home, growing.capture) / f"{stage}-{bundle.name}.{KIND}"
    with MAKING:
        if not target.exists():
            points = _read_points(stage, bundle)
            if points is None:
                return None
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{os.getpid()}.part")
            write_spz(part, light_splat(points, max_gaussians=MAX_POINTS))
            os.replace(part, target)
    return target


def _read_points(stage: str, bundle: Path) -> PointCloud | None:
    if stage == "pointcloud":
        points = read_pointcloud(bundle / POINTS[stage])
        return points if len(points.points_in_world) else None
    model = read_model(bundle)
    return _sparse(model) if model and len(model.points_in_world) else None


def _sparse(model: Reconstruction) -> PointCloud:
    """The points that the cameras were found by; they have no normals."""
    points = model.points_in_world.astype(np.float32)
    return PointCloud(points_in_world=points, normals=np.zeros_like(points), colors=model.colors)
