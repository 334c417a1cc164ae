"""The table of modes. A mode is data: every stage reads its column, no code asks which mode it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.mesh.options import MeshOptions
from ds3d_pipeline.metrics.options import MetricsOptions
from ds3d_pipeline.pointcloud.options import PointcloudOptions
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.programs.options import options_with
from ds3d_pipeline.splats.options import SplatOptions


@dataclass(frozen=True, kw_only=True)
class Mode:
    """The options of every stage, by the stage's asset name."""

    capture: CaptureOptions = CaptureOptions()
    keyframes: KeyframesOptions = KeyframesOptions()
    poses: PosesOptions = PosesOptions()
    depth_maps: DepthOptions = DepthOptions()
    pointcloud: PointcloudOptions = PointcloudOptions()
    mesh: MeshOptions = MeshOptions()
    splat: SplatOptions = SplatOptions()
    metrics: MetricsOptions = MetricsOptions()

    def options(self, stage: str) -> Any:
        """The options record of one stage."""
        return getattr(self, stage)

    def options_with(self, stage: str, table: Mapping[str, Any]) -> Any:
        """The options of one stage with a user's table on top; raises InputError for a value that misfits."""
        return options_with(self.options(stage), table, stage)

    def having(self, **tables: Mapping[str, Any]) -> Mode:
        """The same mode with a table of changes for each stage named."""
        return replace(self, **{stage: self.options_with(stage, table) for stage, table in tables.items()})


BALANCED = Mode()
MODES: dict[str, Mode] = {
    "fastest": BALANCED.having(
        keyframes={"max_frames": 40, "max_side_px": 1024},
        poses={"max_side_px": 1024, "max_features": 3072},
        depth_maps={"max_side_px": 448, "source_views": 4},
        mesh={"poisson_depth": 8, "max_faces": 50_000, "texture_px": 0, "max_megabytes": 10.0},
        splat={"train": False, "max_gaussians": 100_000},
    ),
    "balanced": BALANCED,
    "quality": BALANCED.having(
        keyframes={"max_frames": 200, "max_side_px": 2400},
        poses={"max_side_px": 2000, "max_features": 8192, "sequential_overlap": 10, "similar_frames": 6},
        depth_maps={"max_side_px": 1280, "source_views": 8},
        mesh={"poisson_depth": 10, "max_faces": 500_000, "texture_px": 8192, "max_megabytes": 60.0},
        splat={"max_gaussians": 500_000, "max_side_px": 1280, "iterations": 15_000, "max_seconds": 2700.0},
    ),
}
