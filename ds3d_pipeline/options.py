"""The knobs of every stage, as frozen records that import nothing heavy. Values by mode stand in `modes`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CaptureOptions:
    """Bounds on what is accepted."""

    max_files: int = 2000
    max_bytes: int = 20_000_000_000
    min_side_px: int = 64


@dataclass(frozen=True, kw_only=True)
class KeyframesOptions:
    """How many frames to keep and at what size."""

    max_frames: int = 90
    """Most keyframes of a video; photos are all kept up to `max_photos`."""
    max_photos: int = 400
    max_side_px: int = 1600
    """The longer side of a keyframe; smaller sources are never enlarged."""
    max_gap_s: float = 2.0
    """Coverage floor: no two neighbouring keyframes of a video are further apart in time."""
    motion_fraction: float = 0.04
    """Image motion between neighbouring keyframes, as a fraction of the image diagonal."""


@dataclass(frozen=True, kw_only=True)
class PosesOptions:
    """Structure from motion."""

    max_side_px: int = 1600
    """Size at which features are extracted."""
    max_features: int = 8192
    sequential_overlap: int = 6
    """Video frames are matched with this many following frames."""
    exhaustive_up_to: int = 60
    """Captures up to this many frames are matched all with all."""
    min_registered: int = 3
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class DepthOptions:
    """Dense depth maps."""

    max_side_px: int = 768
    source_views: int = 6
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class PointcloudOptions:
    """Fusion of depth maps."""

    max_points: int = 2_000_000


@dataclass(frozen=True, kw_only=True)
class MeshOptions:
    """Surface, decimation and texture."""

    poisson_depth: int = 9
    max_faces: int = 150_000
    texture_px: int = 4096
    """Longest side of the texture; 0 keeps vertex colours."""
    max_megabytes: float = 25.0
    """Size of the finished file, kept by the texture's JPEG quality."""


@dataclass(frozen=True, kw_only=True)
class SplatOptions:
    """The Gaussian splat."""

    train: bool = True
    """False makes the untrained light splat only."""
    max_gaussians: int = 200_000
    max_side_px: int = 960
    iterations: int = 3000
    max_seconds: float = 180.0
    """Training stops after this long; the schedule adapts to it."""
    sh_degree: int = 2
    holdout_every: int = 8
    """Every n-th registered keyframe is held out for the score."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class MetricsOptions:
    """Where the finished capture goes."""

    output: str = "outputs"
    """Folder that receives `<capture>/`."""
