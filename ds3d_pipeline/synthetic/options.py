"""The knobs of a synthetic capture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SceneName = Literal["tabletop", "relief", "slender", "painted", "plain"]
PathName = Literal["arc", "rotation"]
CaptureFormat = Literal["photos", "video"]


@dataclass(frozen=True, kw_only=True)
class SceneOptions:
    """What is photographed."""

    name: SceneName = "tabletop"
    """`tabletop`: solids of several shapes in the corner of a room; `relief`: one bumpy wall; `slender`:
    steep ramps, thin boards and posts; `painted`: the tabletop, its room, a box and a vase in even paint;
    `plain`: the tabletop without any texture."""
    seed: int = 0
    """Decides shapes and textures."""


@dataclass(frozen=True, kw_only=True)
class PathOptions:
    """A handheld walk along an arc around the scene, looking at it, or a pure rotation."""

    name: PathName = "arc"
    """`rotation`: from the arc's middle the camera pans by the arc's angle and does not move: no parallax."""
    arc_deg: float = 80.0
    """From the first camera to the last, about the vertical through the scene."""
    radius_m: float = 1.5
    height_m: float = 0.85
    """Above the floor; the camera also sways by a quarter of it."""
    jitter_m: float = 0.02
    """Amplitude of the hand's smooth wobble in position."""
    jitter_deg: float = 1.5
    """Amplitude of the wobble in viewing direction and roll."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class CameraOptions:
    """The camera and its flaws."""

    size_wh: tuple[int, int] = (640, 480)
    focal_px: float = 560.0
    radial_k1: float = 0.0
    """x_distorted = x * (1 + k1 * r^2) in normalised coordinates (COLMAP's SIMPLE_RADIAL)."""
    noise_sigma: float = 2.0
    """Of independent Gaussian noise, in 8-bit grey levels."""
    defocus_px: float = 0.4
    """Standard deviation of the Gaussian lens blur."""
    exposure: float = 0.1
    """How much of the time between two frames the shutter is open: motion blur."""


@dataclass(frozen=True, kw_only=True)
class SyntheticOptions:
    """A whole synthetic capture."""

    scene: SceneOptions = field(default_factory=SceneOptions)
    path: PathOptions = field(default_factory=PathOptions)
    camera: CameraOptions = field(default_factory=CameraOptions)
    frames: int = 30
    format: CaptureFormat = "photos"
    frames_per_second: int = 10
    """Of the video."""
    exif: bool = True
    """Photos have make, model and focal length in EXIF."""
    seed: int = 0
    """Of the image noise."""
