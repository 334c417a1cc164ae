"""Verified pairs in a COLMAP database."""

from __future__ import annotations

from pathlib import Path

import pycolmap

from ds3d_pipeline.options import PosesOptions
from ds3d_pipeline.scene import Keyframes


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
