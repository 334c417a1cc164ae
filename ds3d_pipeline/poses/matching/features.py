"""Local features of the keyframes: OpenCV SIFT with RootSIFT descriptors, in a COLMAP database.

Sources: Lowe, IJCV 2004; Arandjelović and Zisserman, CVPR 2012 (RootSIFT).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.formats.images import read_gray
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.scene import Float32, Float64, Keyframe, UInt8

CONTRAST_THRESHOLD = 0.02
"""Half of OpenCV's default: the strongest `max_features` are kept, so weak texture still gives some."""
FOCAL_GUESS = 1.2
"""Times the longer side, where nothing is known: COLMAP's default, about 45 degrees of view."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """The keypoints of one image, the largest first."""

    keypoints: Float32
    """(N, 4): x, y, scale, orientation in radians; pixels of the file, first centre at (0.5, 0.5)."""
    descriptors: UInt8
    """(N, 128) RootSIFT, length 512."""


def extract_all(
    images: Sequence[Path], *, max_side_px: int, max_features: int, report: Callable[..., None]
) -> list[Features]:
    """Features of every image, in order; raises StageError naming an image that cannot be read."""

    def extract_one(path: Path) -> Features:
        return extract(read_gray(path), max_side_px=max_side_px, max_features=max_features)

    cv2.setNumThreads(1)
    features = []
    with ThreadPoolExecutor(max_workers=allowed_cpus()) as pool:
        for one in pool.map(extract_one, images):
            features.append(one)
            report(len(features) / len(images), f"features of {len(features)} of {len(images)} frames")
    return features


def extract(gray: UInt8, *, max_side_px: int, max_features: int) -> Features:
    """Features of one image (H, W), extracted at `max_side_px` and given in pixels of `gray`."""
    height, width = gray.shape
    scale = min(1.0, max_side_px / max(height, width))
    size_wh = (round(width * scale), round(height * scale))
    small = gray if scale == 1 else cv2.resize(gray, size_wh, interpolation=cv2.INTER_AREA)
    sift = cv2.SIFT.create(
        nfeatures=max_features, contrastThreshold=CONTRAST_THRESHOLD, enable_precise_upscale=True
    )
    points, descriptors = sift.detectAndCompute(small, None)
    if descriptors is None:
        return Features(keypoints=np.zeros((0, 4), np.float32), descriptors=np.zeros((0, 128), np.uint8))
    # OpenCV counts from the centre of the first pixel.
    xy = (np.array([p.pt for p in points]) + 0.5) * [width / size_wh[0], height / size_wh[1]]
    shape = [(p.size / (2 * scale), np.radians(p.angle)) for p in points]
    keypoints = np.concatenate([xy, shape], axis=1).astype(np.float32)
    largest_first = np.argsort(-keypoints[:, 2], kind="stable")[:max_features]
    kept = np.asarray(descriptors, np.float32)[largest_first]
    return Features(keypoints=keypoints[largest_first], descriptors=root_sift(kept))


def root_sift(descriptors: Float32) -> UInt8:
    """RootSIFT of SIFT descriptors (N, 128), scaled by 512 as COLMAP stores them."""
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-12)
    return np.minimum(np.round(512 * np.sqrt(descriptors / total)), 255).astype(np.uint8)


def fill_database(
    path: Path, frames: Sequence[Keyframe], features: Sequence[Features], K: Float64 | None = None
) -> None:
    """Writes one camera for each `Keyframe.camera` number, and every image with its features.

    `K` (3, 3), in pixels of the frames, makes them pinhole cameras.
    """
    with pycolmap.Database.open(path) as database, pycolmap.DatabaseTransaction(database):
        rigs: dict[int, tuple[int, int]] = {}
        for frame, one in zip(frames, features, strict=True):
            if frame.camera not in rigs:
                rigs[frame.camera] = _write_camera(database, frame, K)
            _write_image(database, frame.image, *rigs[frame.camera], one)


def _write_camera(database: pycolmap.Database, frame: Keyframe, K: Float64 | None) -> tuple[int, int]:
    """The camera's id and its rig's: the given intrinsics, else the EXIF focal length as prior or a guess."""
    focal_px = frame.focal_px or FOCAL_GUESS * max(frame.size_wh)
    model = "SIMPLE_RADIAL" if K is None else "PINHOLE"
    camera = pycolmap.Camera.create_from_model_name(0, model, focal_px, *frame.size_wh)
    camera.has_prior_focal_length = frame.focal_px is not None or K is not None
    if K is not None:
        camera.params = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    camera.camera_id = database.write_camera(camera)
    rig = pycolmap.Rig()
    rig.add_ref_sensor(camera.sensor_id)
    return camera.camera_id, database.write_rig(rig)


def _write_image(
    database: pycolmap.Database, name: str, camera_id: int, rig_id: int, features: Features
) -> None:
    image = pycolmap.Image(name=name, camera_id=camera_id)
    image.image_id = database.write_image(image)
    frame = pycolmap.Frame()
    frame.rig_id = rig_id
    frame.add_data_id(image.data_id)
    database.write_frame(frame)
    database.write_keypoints(image.image_id, features.keypoints)
    descriptors = pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, features.descriptors)
    database.write_descriptors(image.image_id, descriptors)
