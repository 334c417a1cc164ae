"""Features and verified pairs in a COLMAP database."""

from __future__ import annotations

from pathlib import Path

import pycolmap

from ds3d_pipeline.options import PosesOptions
from ds3d_pipeline.program import Work
from ds3d_pipeline.scene import Keyframe, Keyframes


def extract(work: Work[PosesOptions], keyframes: Keyframes, database: Path) -> None:
    """SIFT features of every keyframe, one COLMAP camera for each camera of the capture.

    The first octave is the image itself: the doubled one costs three times as much and finds noise.
    """
    features = pycolmap.FeatureExtractionOptions()
    features.use_gpu = False
    features.max_image_size = work.options.max_side_px
    features.sift.first_octave = 0
    features.sift.max_num_features = work.options.max_features
    frames = sorted(keyframes.frames, key=lambda frame: frame.image)
    for number in sorted({frame.camera for frame in frames}):
        group = [frame for frame in frames if frame.camera == number]
        pycolmap.extract_features(
            database,
            work.input / "images",
            image_names=[frame.image for frame in group],
            camera_mode=pycolmap.CameraMode.SINGLE,
            reader_options=_reader_options(group[0]),
            extraction_options=features,
            device=pycolmap.Device.cpu,
        )


def _reader_options(frame: Keyframe) -> pycolmap.ImageReaderOptions:
    options = pycolmap.ImageReaderOptions()
    options.camera_model = "SIMPLE_RADIAL"
    if frame.focal_px is not None:
        width, height = frame.size_wh
        options.camera_params = f"{frame.focal_px},{width / 2},{height / 2},0"
    return options


def match(options: PosesOptions, keyframes: Keyframes, database: Path) -> str:
    """Matches and verifies pairs; returns how they were chosen."""
    matching = pycolmap.FeatureMatchingOptions()
    matching.use_gpu = False
    if keyframes.kind == "photos" and len(keyframes.frames) <= options.exhaustive_up_to:
        pycolmap.match_exhaustive(database, matching_options=matching, device=pycolmap.Device.cpu)
        return "exhaustive"
    pairing = pycolmap.SequentialPairingOptions()
    pairing.overlap = options.sequential_overlap
    pairing.quadratic_overlap = True
    pairing.loop_detection = False
    pycolmap.match_sequential(
        database, matching_options=matching, pairing_options=pairing, device=pycolmap.Device.cpu
    )
    return "sequential"
