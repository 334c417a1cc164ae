"""The records that stages hand to each other: frozen, plain, without Dagster.

Conventions: camera frame +x right, +y down, +z forward; the world is gravity-aligned with +y down;
the only stored pose is `cam_from_world`; the centre of the top-left pixel is (0.5, 0.5); images are RGB.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CaptureKind = Literal["video", "photos"]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]
Int32 = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Exif:
    """What a photo's EXIF contains about its camera; None if it is missing."""

    make: str | None = None
    model: str | None = None
    lens: str | None = None
    focal_mm: float | None = None
    focal_35mm: float | None = None
    taken_at: str | None = None
    """ISO 8601 without a time zone, as the camera wrote it."""
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    altitude_m: float | None = None


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One of the user's files: `name` as the user knows it, `file` its safe name inside the bundle."""

    name: str
    file: str
    sha256: str
    size_wh: tuple[int, int]
    """Upright pixel size: after EXIF orientation or video rotation."""
    bytes: int
    exif: Exif = field(default_factory=Exif)


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What the container says of a video's first video stream."""

    codec: str
    frames: int
    """As the container counts them; 0 where it does not."""
    duration_s: float
    rotation_deg: int
    """Clockwise turn that makes the decoded picture upright: 0, 90, 180 or 270."""
    is_hdr: bool


@dataclass(frozen=True, kw_only=True)
class Capture:
    """An accepted upload: one video, or photos, in the bundle's folder `source/`."""

    kind: CaptureKind
    sources: tuple[SourceFile, ...]
    sha256: str
    """Over the contents of all sources, whatever their names."""
    video: VideoInfo | None = None


@dataclass(frozen=True, kw_only=True)
class Keyframe:
    """One chosen frame: `image` is its file under `images/`, upright and at the mode's size."""

    image: str
    source: str
    """The user's own file name."""
    timestamp_s: float | None
    sharpness: float
    size_wh: tuple[int, int]
    camera: int
    """Frames of one number were taken by one camera at one focal length and size."""
    focal_px: float | None = None
    """Focal length prior at this size, from EXIF; None where nothing is known."""
    source_size_wh: tuple[int, int] | None = None
    """Upright size of the source, of which this frame is a smaller copy."""
    exif: Exif = field(default_factory=Exif)


@dataclass(frozen=True, kw_only=True)
class Keyframes:
    """The chosen frames in order, and how many frames were looked at."""

    kind: CaptureKind
    frames: tuple[Keyframe, ...]
    considered: int
    dropped: dict[str, int] = field(default_factory=dict[str, int])
    """Frames left out, counted by reason: black, frozen, duplicate, another size, unreadable."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One registered, undistorted (PINHOLE) image."""

    image: str
    image_size_wh: tuple[int, int]
    K: Float64
    """(3, 3), pixels."""
    cam_from_world: Float64
    """(4, 4) rigid transform."""
    point_ids: Int32
    """(M,) indices into the reconstruction's points that this image observes."""

    @property
    def centre_in_world(self) -> Float64:
        """(3,) camera centre in scene units."""
        return -self.cam_from_world[:3, :3].T @ self.cam_from_world[:3, 3]


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """Cameras and sparse points of one connected model."""

    views: tuple[View, ...]
    points_in_world: Float64
    """(N, 3) scene units."""
    colors: UInt8
    """(N, 3) RGB."""
    errors_px: Float64
    """(N,) mean reprojection error."""
    track_lengths: Int32
    """(N,) number of images that observe the point."""


UNCERTAIN_CONFIDENCE = 0.01
"""Depth of at most this confidence was matched, but too few other views agree: it is uncertain. Fusion uses
that with one supporting view."""
UNSUPPORTED_CONFIDENCE = 0.005
"""Depth of at most this confidence is supported by no other view, or belongs to an empty area."""


@dataclass(frozen=True, kw_only=True)
class DepthMap:
    """Depth of one view: z in the camera frame, 0 where nothing is known."""

    image: str
    depth: Float32
    """(H, W) scene units."""
    normals: Float32
    """(H, W, 3) unit normals in the camera frame, towards the camera; 0 where depth is 0."""
    confidence: Float32
    """(H, W) in [0, 1]."""
    K: Float64
    """(3, 3), pixels of this map."""

    def certain(self) -> DepthMap:
        """The map without its uncertain depths."""
        return self._above(UNCERTAIN_CONFIDENCE)

    def supported(self) -> DepthMap:
        """The map without the depths that no other view supports."""
        return self._above(UNSUPPORTED_CONFIDENCE)

    def _above(self, confidence: float) -> DepthMap:
        sure = self.confidence > confidence
        return replace(
            self,
            depth=np.where(sure, self.depth, np.float32(0)),
            normals=np.where(sure[..., None], self.normals, np.float32(0)),
        )


@dataclass(frozen=True, kw_only=True)
class PointCloud:
    """Coloured, oriented points."""

    points_in_world: Float32
    normals: Float32
    """(N, 3) unit, towards the cameras that saw them."""
    colors: UInt8
    """(N, 3) RGB."""


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Triangles, counter-clockwise seen from outside."""

    vertices_in_world: Float32
    """(V, 3)."""
    faces: Int32
    """(F, 3) indices of vertices."""
    vertex_colors: UInt8 | None = None
    """(V, 3) RGB."""
    uvs: Float32 | None = None
    """(V, 2) texture coordinates, origin at the bottom left."""
    texture: UInt8 | None = None
    """(H, W, 3) RGB."""


@dataclass(frozen=True, kw_only=True)
class Gaussians:
    """A 3D Gaussian splat in the parameters of Kerbl et al. (2023)."""

    means: Float32
    """(N, 3) scene units, world frame."""
    quats_wxyz: Float32
    """(N, 4) unit."""
    log_scales: Float32
    """(N, 3)."""
    opacity_logits: Float32
    """(N,)."""
    sh_coeffs: Float32
    """(N, K, 3), K = (degree + 1)^2."""
