"""Similarity transforms between two frames, from corresponding points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ds3d_pipeline.geometry.transforms import rigid
from ds3d_pipeline.scene import Float64


@dataclass(frozen=True, kw_only=True)
class Sim3:
    """The similarity x -> scale * R @ x + t, from a source frame into a target frame."""

    scale: float
    R: Float64
    """(3, 3) rotation."""
    t: Float64
    """(3,) in units of the target."""

    def apply(self, points: ArrayLike) -> Float64:
        """Points (..., 3) of the source frame in the target frame."""
        return self.scale * (np.asarray(points, dtype=np.float64) @ self.R.T) + self.t

    def inverse(self) -> Sim3:
        """From the target frame back into the source frame."""
        return Sim3(scale=1 / self.scale, R=self.R.T, t=-(self.R.T @ self.t) / self.scale)

    def cam_from_target(self, cam_from_source: ArrayLike) -> Float64:
        """The (..., 4, 4) pose in the target frame, depths in its units, of a camera posed in the source."""
        pose = np.asarray(cam_from_source, dtype=np.float64)
        R_cam_from_target = pose[..., :3, :3] @ self.R.T
        return rigid(R_cam_from_target, self.scale * pose[..., :3, 3] - R_cam_from_target @ self.t)


def align_sim3(source: ArrayLike, target: ArrayLike) -> Sim3:
    """The least-squares similarity from source points (N, 3) to target points (N, 3) (Umeyama 1991).

    Raises ValueError for other shapes, fewer than 3 points, or points on one line, which leave a turn free.
    """
    source, target = _pairs(source, target)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centred_source, centred_target = source - source_mean, target - target_mean
    covariance = centred_target.T @ centred_source / len(source)
    U, singular, Vt = np.linalg.svd(covariance)
    if singular[0] == 0 or singular[1] < 1e-9 * singular[0]:
        raise ValueError("the points coincide or are on one line, so no unique similarity exists")
    signs = np.array([1, 1, np.sign(np.linalg.det(U) * np.linalg.det(Vt))])
    R = (U * signs) @ Vt
    scale = float(singular @ signs / (centred_source**2).sum(axis=1).mean())
    return Sim3(scale=scale, R=R, t=target_mean - scale * R @ source_mean)


def align_sim3_robust(
    source: ArrayLike, target: ArrayLike, *, max_error: float, iterations: int = 500, seed: int = 0
) -> tuple[Sim3, NDArray[np.bool_]]:
    """As `align_sim3`, over the largest set of pairs that agree within `max_error` (units of the target).

    RANSAC (Fischler and Bolles 1981) over triples of pairs, refined on its inliers, which come second as a
    mask (N,). Raises ValueError where no three pairs agree.
    """
    source, target = _pairs(source, target)
    random = np.random.default_rng(seed)
    best = np.zeros(len(source), dtype=bool)
    for _ in range(iterations):
        inliers = _inliers(source, target, random.choice(len(source), size=3, replace=False), max_error)
        if inliers.sum() > best.sum():
            best = inliers
        if best.all():
            break
    if best.sum() < 3:
        raise ValueError(f"no similarity brings three of {len(source)} pairs within {max_error}")
    return _refined(source, target, best, max_error)


def _inliers(
    source: Float64, target: Float64, chosen: NDArray[np.int64] | NDArray[np.bool_], max_error: float
) -> NDArray[np.bool_]:
    """Which pairs agree with the similarity of the chosen ones; none where those are degenerate."""
    try:
        model = align_sim3(source[chosen], target[chosen])
    except ValueError:
        return np.zeros(len(source), dtype=bool)
    return np.linalg.norm(model.apply(source) - target, axis=1) <= max_error


def _refined(
    source: Float64, target: Float64, inliers: NDArray[np.bool_], max_error: float, rounds: int = 10
) -> tuple[Sim3, NDArray[np.bool_]]:
    for _ in range(rounds):
        grown = _inliers(source, target, inliers, max_error)
        if grown.sum() <= inliers.sum():
            break
        inliers = grown
    return align_sim3(source[inliers], target[inliers]), inliers


def _pairs(source: ArrayLike, target: ArrayLike) -> tuple[Float64, Float64]:
    source, target = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 3:
        raise ValueError(f"expected two arrays of shape (N, 3), got {source.shape} and {target.shape}")
    if len(source) < 3:
        raise ValueError(f"a similarity needs at least 3 pairs of points, got {len(source)}")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("the points must be finite")
    return source, target
