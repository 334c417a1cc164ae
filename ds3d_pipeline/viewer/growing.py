"""What there is to see of a capture while its run goes on: what the finished stages have made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.formats.colmap import model_folder, read_reconstruction
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.viewer.finished import POINT_BUDGET, Exhibit, read_mesh, thin_points

LABELS = {
    "keyframes": "keyframes",
    "poses": "cameras and sparse points",
    "pointcloud": "dense points",
    "mesh": "the mesh",
}
"""The stages that have something to show, in their order."""
_SHEET = "contact_sheet.jpg"


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How far a capture is; two that are equal show the same."""

    capture: str
    folders: Mapping[str, Path]
    """The files of its finished stages."""
    picture: Path | None
    """The newest of the training, else that of the keyframes."""

    @property
    def note(self) -> str:
        """What is there, in one sentence."""
        there = [label for stage, label in LABELS.items() if stage in self.folders]
        return f"Still being made. There so far: {', '.join(there) or 'nothing to see'}."


def find_growth(home: Home, capture: str, run_id: str) -> Growth:
    """What this run has made of the capture so far, or reads of it."""
    journal = run_journal(home, run_id)
    used = {stage: journal.used(stage) for stage in LABELS}
    places = {stage: Path(home.storage) / stage / capture / v for stage, v in used.items() if v}
    folders = {stage: place for stage, place in places.items() if place.is_dir()}
    return Growth(capture=capture, folders=folders, picture=_picture(home, run_id, folders))


def _picture(home: Home, run_id: str, folders: Mapping[str, Path]) -> Path | None:
    trained = sorted((home.work / run_id / "splat" / "output" / "previews").glob("*.jpg"))
    if trained:
        return trained[-1]
    sheet = folders["keyframes"] / _SHEET if "keyframes" in folders else None
    return sheet if sheet and sheet.is_file() else None


def read_growth(growth: Growth) -> Exhibit:
    """Reads the files; raises StageError for a damaged one."""
    poses = growth.folders.get("poses")
    model = model_folder(poses) if poses else None
    points = _file(growth, "pointcloud", "pointcloud.ply")
    mesh = _file(growth, "mesh", "model.glb")
    return Exhibit(
        name=growth.capture,
        images=(poses or Path()) / "images",
        reconstruction=read_reconstruction(model) if model else None,
        mesh=read_mesh(mesh) if mesh else None,
        splat=None,
        points=thin_points(read_pointcloud(points), POINT_BUDGET) if points else None,
        note=growth.note,
        picture=growth.picture,
    )


def _file(growth: Growth, stage: str, name: str) -> Path | None:
    path = growth.folders[stage] / name if stage in growth.folders else None
    return path if path and path.is_file() else None
