"""The numbers of the page, each with what it means and a plain grade."""

from __future__ import annotations

from dataclasses import dataclass

from ds3d_pipeline.depth.report import DepthReport
from ds3d_pipeline.mesh.report import MeshReport
from ds3d_pipeline.metrics.record import Metrics
from ds3d_pipeline.pointcloud.report import PointcloudReport
from ds3d_pipeline.poses.report import PosesReport
from ds3d_pipeline.programs.words import count, plural
from ds3d_pipeline.splats.report import SplatReport, describe_training
from ds3d_pipeline.stages.depth_maps import MIN_COVERAGE
from ds3d_pipeline.stages.poses import MAX_REPROJECTION_ERROR_PX, MIN_REGISTERED


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The values from which a number is good, and from which it is fair."""

    good: float
    fair: float

    def grade(self, value: float) -> str:
        """`good`, `fair` or `poor`; less is better if `good` is below `fair`."""
        sign = 1 if self.good >= self.fair else -1
        if sign * value >= sign * self.good:
            return "good"
        return "fair" if sign * value >= sign * self.fair else "poor"


@dataclass(frozen=True, kw_only=True)
class Number:
    """One tile; `grade` is empty if more is not simply better."""

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
    fraction, error = poses.registered / max(poses.total, 1), poses.mean_reprojection_error_px
    found = [
        Number(
            label="Aligned keyframes",
            value=f"{poses.registered} of {poses.total}",
            meaning="Keyframes whose camera position was found. Everything below uses only these.",
            # A single photo is always at its own place.
            grade=REGISTERED.grade(fraction) if error is not None else "",
        )
    ]
    # A single photo has no points to reproject.
    if error is not None:
        found.append(
            Number(
                label="Reprojection error",
                value=f"{error:.2f} px",
                meaning="Average distance between reconstructed points and where the photos show them. "
                "Below 1 px is good.",
                grade=REPROJECTION_PX.grade(error),
            )
        )
    return found


def _depth(depth: DepthReport | None) -> list[Number]:
    if depth is None or depth.flat:
        return []
    measured, estimated = depth.measured, depth.estimated
    how = "estimated by a learned model" if depth.model else "interpolated between sparse points"
    rest = f" Another {estimated:.1%} are {how}." if estimated else ""
    return [
        Number(
            label="Depth coverage",
            value=f"{measured:.0%}",
            meaning=f"Pixels with measured depth, averaged over all views.{rest}",
            grade=COVERAGE.grade(measured),
        )
    ]


def _surface(cloud: PointcloudReport | None, mesh: MeshReport | None) -> list[Number]:
    found = []
    if cloud is not None:
        found.append(Number(label="Points", value=count(cloud.points), meaning="Of the point cloud."))
    if mesh is not None:
        side = mesh.texture_size
        skin = f"textured at {side} × {side} px" if side else "with vertex colours"
        found.append(Number(label="Triangles", value=count(mesh.faces), meaning=f"Of the mesh, {skin}."))
    return found


def _splat(splat: SplatReport | None) -> list[Number]:
    if splat is None:
        return []
    found = [Number(label="Gaussians", value=count(splat.gaussians), meaning=describe_training(splat))]
    held = splat.heldout
    if held:
        photos = plural(len(held.images), "photo")
        found += [
            Number(
                label="Held-out PSNR",
                value=f"{held.psnr_db:.1f} dB",
                meaning=f"Similarity to {photos} not used for training. Above 25 dB is good.",
                grade=PSNR_DB.grade(held.psnr_db),
            ),
            Number(
                label="Held-out SSIM",
                value=f"{held.ssim:.2f}",
                meaning="Structural similarity to the same photos; 1 means identical.",
                grade=SSIM.grade(held.ssim),
            ),
        ]
    return found
