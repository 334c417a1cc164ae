"""The numbers of the page, each with what it means and a plain grade."""

from __future__ import annotations

from dataclasses import dataclass

from ds3d_pipeline.depth.report import DepthReport
from ds3d_pipeline.mesh.report import MeshReport
from ds3d_pipeline.metrics.record import Metrics
from ds3d_pipeline.pointcloud.report import PointcloudReport
from ds3d_pipeline.poses.report import PosesReport
from ds3d_pipeline.programs.words import count
from ds3d_pipeline.splats.report import SplatReport
from ds3d_pipeline.stages.depth_maps import MIN_COVERAGE
from ds3d_pipeline.stages.poses import MAX_REPROJECTION_ERROR_PX, MIN_REGISTERED


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From which value on a number is good, and from which it still serves."""

    good: float
    fair: float

    def grade(self, value: float) -> str:
        """`good`, `fair` or `poor`; a scale that falls means that less is better."""
        sign = 1 if self.good >= self.fair else -1
        if sign * value >= sign * self.good:
            return "good"
        return "fair" if sign * value >= sign * self.fair else "poor"


@dataclass(frozen=True, kw_only=True)
class Number:
    """One tile: `grade` is empty where more is not simply better."""

    label: str
    value: str
    meaning: str
    grade: str = ""


REGISTERED = Scale(good=0.95, fair=MIN_REGISTERED)
REPROJECTION_PX = Scale(good=1.0, fair=MAX_REPROJECTION_ERROR_PX)
COVERAGE = Scale(good=0.6, fair=MIN_COVERAGE)
PSNR_DB = Scale(good=25.0, fair=20.0)
SSIM = Scale(good=0.85, fair=0.7)


def list_numbers(metrics: Metrics) -> list[Number]:
    """The tiles that these metrics have numbers for."""
    return [
        *_poses(metrics.poses),
        *_depth(metrics.depth),
        *_surface(metrics.pointcloud, metrics.mesh),
        *_splat(metrics.splat),
    ]


def _poses(poses: PosesReport | None) -> list[Number]:
    if poses is None:
        return []
    share, error = poses.registered / max(poses.total, 1), poses.mean_reprojection_error_px
    found = [
        Number(
            label="Frames placed",
            value=f"{poses.registered} of {poses.total}",
            meaning="Frames whose camera position was found. Only these count for everything below.",
            grade=REGISTERED.grade(share),
        )
    ]
    # A single photo has no points to reproject.
    if error is not None:
        found.append(
            Number(
                label="Reprojection error",
                value=f"{error:.2f} px",
                meaning="How far found points lie from where the photos show them. Below 1 px is good.",
                grade=REPROJECTION_PX.grade(error),
            )
        )
    return found


def seen_share(depth: DepthReport) -> float:
    """Of all pixels, those with a depth that no learned model filled in."""
    return depth.coverage - (depth.estimated or 0)


def _depth(depth: DepthReport | None) -> list[Number]:
    if depth is None:
        return []
    seen, estimated = seen_share(depth), depth.estimated
    rest = f" Another {estimated:.1%} are a learned model's estimate." if estimated else ""
    return [
        Number(
            label="Depth coverage",
            value=f"{seen:.0%}",
            meaning=f"Pixels whose distance is known, on average over all views.{rest}",
            grade=COVERAGE.grade(seen),
        )
    ]


def _surface(cloud: PointcloudReport | None, mesh: MeshReport | None) -> list[Number]:
    found = []
    if cloud is not None:
        found.append(Number(label="Points", value=count(cloud.points), meaning="In the point cloud."))
    if mesh is not None:
        side = mesh.texture_size
        skin = f"textured at {side} × {side} px" if side else "coloured at its vertices"
        found.append(Number(label="Mesh faces", value=count(mesh.faces), meaning=f"Triangles, {skin}."))
    return found


def _splat(splat: SplatReport | None) -> list[Number]:
    if splat is None:
        return []
    steps = splat.iterations
    how = f"Trained for {count(steps)} steps." if steps else "Untrained: one for each point."
    found = [Number(label="Gaussians", value=count(splat.gaussians), meaning=how)]
    held = splat.heldout
    if held:
        photos = len(held.images)
        found += [
            Number(
                label="Held-out PSNR",
                value=f"{held.psnr_db:.1f} dB",
                meaning=f"Splat against {photos} photos that training never saw. Above 25 dB is good.",
                grade=PSNR_DB.grade(held.psnr_db),
            ),
            Number(
                label="Held-out SSIM",
                value=f"{held.ssim:.2f}",
                meaning="Likeness of structure in the same photos; 1 is identical.",
                grade=SSIM.grade(held.ssim),
            ),
        ]
    return found
