"""Depth maps of every registered keyframe."""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3d_pipeline.depth.interpolation import interpolate_view
from ds3d_pipeline.depth.previews import write_preview
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_reconstruction, write_depth_map
from ds3d_pipeline.options import DepthOptions
from ds3d_pipeline.program import Work
from ds3d_pipeline.scene import DepthMap

PREVIEWS = 4


def interpolate_depth(work: Work[DepthOptions]) -> dict[str, Any]:
    """The last rung: planes between the sparse points. Raises StageError where no view has any depth."""
    model = read_reconstruction(work.input / "sparse")
    shown: list[DepthMap] = []
    coverage: list[float] = []
    every = max(1, len(model.views) // PREVIEWS)
    for index, view in enumerate(model.views):
        depth = interpolate_view(view, model, work.options.max_side_px)
        coverage.append(float(np.mean(depth.depth > 0)))
        write_depth_map(work.output, depth)
        if index % every == 0 and len(shown) < PREVIEWS:
            shown.append(depth)
        work.progress((index + 1) / len(model.views), view.image)
    if not any(coverage):
        raise StageError(
            f"None of the {len(coverage)} views sees enough sparse points for depth.",
            "Film again with more texture and more overlap between views.",
        )
    write_preview(shown, work.input / "images", work.output / "preview.jpg")
    return {"maps": len(coverage), "coverage": float(np.mean(coverage)), "seed": work.options.seed}
