"""Which of a capture's depth maps there are, and which of them is best."""

from __future__ import annotations

from pathlib import Path

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_depth_map
from ds3d_pipeline.scene import DepthMap, Reconstruction, View


def mapped_views(folder: Path, reconstruction: Reconstruction) -> list[View]:
    """The views that have a depth map in INPUT."""
    return [view for view in reconstruction.views if (folder / "depth" / f"{view.image}.bin").is_file()]


def refuse_one_map(folder: Path, reconstruction: Reconstruction) -> None:
    """Raises StageError where a single view has depth: closing a surface around it would make up its back."""
    if len(mapped_views(folder, reconstruction)) == 1:
        cause = "Only one view has depth, from which no closed surface can be made."
        raise StageError(cause, "Photograph the scene from more sides.")


def best_map(folder: Path, reconstruction: Reconstruction) -> tuple[View, DepthMap]:
    """The view whose map knows most, each pixel weighted by its confidence; the first of equals.

    Raises StageError where no view has a map.
    """
    views = mapped_views(folder, reconstruction)
    if not views:
        raise StageError(f"{folder} has no depth map.", "Run depth_maps again.")
    best, known = views[0], -1.0
    for view in views:
        found = read_depth_map(folder, view)
        if (sure := float(found.confidence[found.depth > 0].sum())) > known:
            best, known = view, sure
    return best, read_depth_map(folder, best).believed()
