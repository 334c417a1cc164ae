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

    max_side_px: int = 1280
    """Size at which features are extracted."""
    max_features: int = 4096
    """Of one frame; twice as many where they do not place the frames."""
    sequential_overlap: int = 5
    """Video frames are matched with this many following frames."""
    similar_frames: int = 3
    """Video frames are also matched with this many others that look alike, to close loops."""
    exhaustive_up_to: int = 60
    """Photos up to this many are matched all with all."""
    similar_photos: int = 20
    """More photos are matched with this many that look alike, and with neighbours in time and by GPS."""
    K: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]] | None = None
    """Known intrinsics, kept fixed: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels of the source files,
    which must be upright, of one size and without lens distortion."""
    min_registered: int = 3
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class DepthOptions:
    """Dense depth maps."""

    max_side_px: int = 768
    source_views: int = 6
    seed: int = 0
    model: str = ""
    """ONNX depth model: a file, or `owner/repository@revision:file` on Hugging Face; empty takes Depth
    Anything V2 Small."""
    model_sha256: str = ""
    """What the model's file must hash to; empty checks only the default model."""
    model_gives_depth: bool = False
    """Whether larger numbers of the model's output are further away; in disparity they are nearer."""
    model_side_px: int = 518
    """Shorter side of the model's picture where the model takes any size."""
    model_multiple_px: int = 14
    """Sides of the model's picture are multiples of this."""
    model_colors: str = "imagenet"
    """How the model wants colours: `imagenet`, `symmetric` (-1 to 1) or `unit` (0 to 1)."""
    fetch_model: bool = False
    """Whether a run may fetch a missing model from the network."""
    fill_holes: bool = False
    """Whether holes of stereo get the model's estimate where it fits what is measured around. Off: it takes
    the model's time for every view, and a model that errs by a few percent fills next to nothing."""


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
    sh_degree: int = 3
    """Degree of the view-dependent colour at most; few photos get less."""
    holdout_every: int = 8
    """Every n-th registered keyframe is held out for the score."""
    exposure: bool = True
    """Gives every training photo a gain per channel, for phones that change exposure while they film."""
    mip_filter: bool = False
    """Keeps Gaussians from being finer than any photo shows, for views from far away."""
    early_stop: bool = True
    """Ends training when the score on held-out photos rises no more."""
    join_heldout: bool = False
    """Trains a little more on all photos after scoring; the published splat is then not the scored one."""
    checkpoint_s: float = 30.0
    """Seconds between checkpoints, from which the same program goes on after a break."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class MetricsOptions:
    """Where the finished capture goes."""

    output: str = "outputs"
    """Folder that receives `<capture>/`."""
