"""The evidence of the OpenCV rung."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pycolmap

from ds3d_pipeline.poses.colmap_evidence import look_at_frames, model_evidence
from ds3d_pipeline.poses.evidence import Evidence, MatchedPair, measure_pairs
from ds3d_pipeline.poses.features import Features
from ds3d_pipeline.poses.opencv.matching import PairMatches
from ds3d_pipeline.scene import Keyframe


def gather_evidence(
    frames: Sequence[Keyframe],
    images: Path,
    features: Sequence[Features],
    matches: Sequence[PairMatches],
    sparse: Path | None,
) -> Evidence:
    """Evidence of the frames in the folder `images`; `sparse` holds the written model, if there is one.

    Matches that failed verification are not kept, so motion in the scene does not show here.
    """
    pairs = [
        MatchedPair(
            first=pair.first,
            second=pair.second,
            matches=len(pair.indices),
            inliers=len(pair.indices),
            uv_first=features[pair.first].keypoints[pair.indices[:, 0], :2].astype(float),
            uv_second=features[pair.second].keypoints[pair.indices[:, 1], :2].astype(float),
        )
        for pair in matches
    ]
    sizes_wh = [frame.size_wh for frame in frames]
    return Evidence(
        frames=look_at_frames(frames, [len(one.keypoints) for one in features], images),
        pairs=measure_pairs(pairs, sizes_wh, [frame.focal_px for frame in frames]),
        model=model_evidence(pycolmap.Reconstruction(sparse)) if sparse else None,
    )
