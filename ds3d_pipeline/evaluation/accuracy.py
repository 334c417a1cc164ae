"""How far a reconstruction is from the truth: cameras after Sim3 alignment, and the surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ds3d_pipeline.geometry.alignment import Sim3, align_sim3
from ds3d_pipeline.geometry.surfaces import distances_to_surface, sample_surface
from ds3d_pipeline.geometry.transforms import rotation_angle_deg
from ds3d_pipeline.scene import Float64, Keyframes, Mesh, Reconstruction
from ds3d_pipeline.synthetic.truth import Truth


@dataclass(frozen=True, kw_only=True)
class PoseReport:
    """Errors of the cameras after alignment, in the units of the truth."""

    registered: int
    total: int
    centre_error_mean: float
    centre_error_max: float
    path_extent: float
    """Diagonal of the box around the true camera centres."""
    centre_error_mean_percent: float
    """Of the path's extent."""
    centre_error_max_percent: float
    rotation_error_mean_deg: float
    rotation_error_max_deg: float


@dataclass(frozen=True, kw_only=True)
class SurfaceScore:
    """Shares in [0, 1] of surface within a distance of the other (Knapitsch et al. 2017)."""

    threshold: float
    precision: float
    """Of the reconstructed surface, near the truth."""
    recall: float
    """Of the seen truth, near the reconstruction."""
    f_score: float


@dataclass(frozen=True, kw_only=True)
class SurfaceReport:
    """Distances between the reconstructed surface and the truth, in the units of the truth."""

    accuracy_mean: float
    """From the reconstruction to the truth."""
    accuracy_median: float
    completeness_mean: float
    """From the truth that the cameras saw to the reconstruction."""
    completeness_median: float
    chamfer: float
    """Mean of the two means."""
    scores: tuple[SurfaceScore, ...]


def true_poses(keyframes: Keyframes, truth: Truth) -> dict[str, Float64]:
    """The true cam_from_world (4, 4) of every keyframe, by the keyframe's image name.

    Photos are found by their source's name, video frames by their time. Raises ValueError for a keyframe
    that is none of the truth's frames.
    """
    by_name = {frame.image: frame for frame in truth.frames}
    times = np.array([np.nan if frame.timestamp_s is None else frame.timestamp_s for frame in truth.frames])
    poses = {}
    for keyframe in keyframes.frames:
        if keyframes.kind == "photos":
            frame = by_name.get(keyframe.source)
        else:
            frame = truth.frames[_index_at(times, keyframe.timestamp_s)]
        if frame is None:
            raise ValueError(f"the truth has no photo named {keyframe.source!r}")
        poses[keyframe.image] = frame.cam_from_world
    return poses


def _index_at(times_s: Float64, time_s: float | None) -> int:
    """The frame at a time, which may be off by less than half a frame's distance."""
    if time_s is None or len(times_s) < 2 or np.isnan(times_s).any():
        raise ValueError("frames can be matched by time only if keyframes and truth have timestamps")
    index = int(np.argmin(np.abs(times_s - time_s)))
    if abs(times_s[index] - time_s) >= np.diff(times_s).min() / 2:
        raise ValueError(f"the truth has no frame at {time_s} s, the nearest is at {times_s[index]} s")
    return index


def pose_accuracy(
    reconstruction: Reconstruction, true_cam_from_world: Mapping[str, Float64]
) -> tuple[PoseReport, Sim3]:
    """Camera errors against the true poses by image name, and the alignment truth_from_world.

    `total` counts the true poses, `registered` those with a view. Raises ValueError where fewer than three
    views, or centres on one line, leave the alignment open.
    """
    views = [view for view in reconstruction.views if view.image in true_cam_from_world]
    if not views:
        raise ValueError("no view of the reconstruction has a true pose of the same image name")
    truth = np.array([true_cam_from_world[view.image] for view in views])
    poses = np.array([view.cam_from_world for view in views])
    centres = _centres(truth)
    truth_from_world = align_sim3(_centres(poses), centres)
    aligned = truth_from_world.cam_from_target(poses)
    errors = np.linalg.norm(_centres(aligned) - centres, axis=1)
    angles = rotation_angle_deg(aligned[:, :3, :3] @ np.swapaxes(truth[:, :3, :3], 1, 2))
    extent = float(np.linalg.norm(np.ptp(_centres(np.array(list(true_cam_from_world.values()))), axis=0)))
    report = PoseReport(
        registered=len(views),
        total=len(true_cam_from_world),
        centre_error_mean=float(errors.mean()),
        centre_error_max=float(errors.max()),
        path_extent=extent,
        centre_error_mean_percent=float(100 * errors.mean() / extent),
        centre_error_max_percent=float(100 * errors.max() / extent),
        rotation_error_mean_deg=float(angles.mean()),
        rotation_error_max_deg=float(angles.max()),
    )
    return report, truth_from_world


def surface_accuracy(
    mesh: Mesh,
    truth_from_world: Sim3,
    truth: Truth,
    *,
    thresholds: tuple[float, ...] = (0.01, 0.02, 0.05),
    samples: int = 100_000,
    seed: int = 0,
) -> SurfaceReport:
    """Compares a mesh in the reconstruction's world with the true surface, by samples even over the area.

    Reconstructed surface is compared with the whole truth; of the truth only what at least two frames saw
    must be there. Raises ValueError for a mesh without area.
    """
    random = np.random.default_rng(seed)
    vertices = truth_from_world.apply(mesh.vertices_in_world)
    points, _ = sample_surface(vertices, mesh.faces, samples, random)
    seen = truth.seen_points
    seen = seen[random.permutation(len(seen))[:samples]]
    accuracy = distances_to_surface(points, truth.vertices, truth.faces)
    completeness = distances_to_surface(seen, vertices, mesh.faces)
    return SurfaceReport(
        accuracy_mean=float(accuracy.mean()),
        accuracy_median=float(np.median(accuracy)),
        completeness_mean=float(completeness.mean()),
        completeness_median=float(np.median(completeness)),
        chamfer=float((accuracy.mean() + completeness.mean()) / 2),
        scores=tuple(_score(accuracy, completeness, threshold) for threshold in thresholds),
    )


def _score(accuracy: Float64, completeness: Float64, threshold: float) -> SurfaceScore:
    precision, recall = float((accuracy < threshold).mean()), float((completeness < threshold).mean())
    total = precision + recall
    f_score = 2 * precision * recall / total if total > 0 else 0.0
    return SurfaceScore(threshold=threshold, precision=precision, recall=recall, f_score=f_score)


def _centres(cam_from_world: Float64) -> Float64:
    """Camera centres (N, 3) of poses (N, 4, 4)."""
    return -np.einsum("nji,nj->ni", cam_from_world[:, :3, :3], cam_from_world[:, :3, 3])
