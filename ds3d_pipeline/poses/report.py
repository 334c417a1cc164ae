"""What the poses stage reports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from ds3d_pipeline.programs.reports import report_record

Cause = Literal["few frames", "texture", "blur", "parallax", "groups", "moving scene", "overlap"]


@report_record
class Diagnosis:
    """Why a capture was registered poorly: one cause in a sentence with numbers, one remedy."""

    kind: Cause
    cause: str
    remedy: str


@report_record
class UnregisteredFrame:
    """A keyframe that was not registered, with its nearest registered neighbours."""

    image: str
    source: str
    """The user's own file name."""
    timestamp_s: float | None
    after: str | None
    """The registered frame before it: a file name, or a time in the video; None at the start."""
    before: str | None
    """The registered frame after it; None at the end."""


@report_record
class CameraModel:
    """One camera in COLMAP's terms, before undistortion."""

    model: str
    params: tuple[float, ...]
    """In pixels, in COLMAP's order."""


@report_record
class MappingAttempt:
    """One try at mapping."""

    loose: bool
    """Whether thresholds were loose."""
    more: int
    """How many times the usual number of features was extracted."""
    pairs: str
    """How the pairs to match were chosen."""
    registered: int
    points: int


@report_record
class EvidenceSummary:
    """The numbers behind a diagnosis: medians over frames and pairs, None if there was nothing to measure."""

    features_per_frame: float | None
    matched_pairs: int
    inliers_per_pair: float | None
    inlier_ratio: float | None
    homography_fraction: float | None
    """Fraction of a pair's inliers that one homography also explains."""
    parallax_deg: float | None
    """Parallax that a tenth of the measured pairs exceeds (90th percentile)."""
    triangulation_angle_deg: float | None
    points_per_frame: float | None


@report_record
class MetricScale:
    """The unit of all lengths where it is known."""

    unit: Literal["m"]
    origin: Annotated[str, Field(validation_alias=AliasChoices("from", "origin"), serialization_alias="from")]
    """Where it is from: gps."""
    photos: int | None = None
    """Photos with a GPS position."""
    error_m: float | None = None
    """Distance between the cameras and their GPS positions, in metres."""


SceneScale = Literal["arbitrary"] | MetricScale


@report_record
class PosesReport:
    """The registered cameras."""

    registered: int
    """Keyframes whose camera was found."""
    total: int
    """Keyframes of the capture."""
    mean_reprojection_error_px: Annotated[float, Field(ge=0)] | None
    """Mean reprojection error; None for a single camera without points."""
    points: int
    """Sparse points."""
    seed: int = 0
    """Of all random choices."""
    unregistered: tuple[str, ...] = ()
    """Images of the keyframes that were not registered."""
    unregistered_frames: tuple[UnregisteredFrame, ...] = ()
    """The same with their neighbours."""
    largest_gap: Annotated[int, Field(ge=0)] = 0
    """Longest run of keyframes that were not registered."""
    unregistered_text: str = ""
    """One sentence that names the keyframes that were not registered; empty if there are none."""
    diagnosis: Diagnosis | None = None
    """What is wrong with the capture; None if nothing is, or if it was not diagnosed."""
    evidence: EvidenceSummary | None = None
    scale: SceneScale = "arbitrary"
    mean_track_length: float | None = None
    """Images that observe a point."""
    intrinsics: str | None = None
    """Which intrinsics were estimated, in words."""
    cameras: tuple[CameraModel, ...] | None = None
    attempts: tuple[MappingAttempt, ...] | None = None
    """COLMAP's tries; None of other backends."""
    matches: str | None = None
    """How well the pairs matched, in words with numbers."""
    pairs: str | None = None
    """How the pairs to match were chosen, in words."""
    retries: int | None = None
    """Starts after the first."""
    phase_seconds: dict[str, float] | None = None
    """Wall time by phase."""
    colmap: str | None = None
    """Version of the COLMAP in the container."""
    focal_px: float | None = None
    """Focal length of a single photo in pixels."""
    focal_from: str | None = None
    """Where that is from: EXIF or assumed."""


@report_record
class PosesScript:
    """What was written for COLMAP in a container."""

    pairs: str
    """How the pairs to match were chosen, in words."""
