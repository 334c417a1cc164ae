"""The evidence of the OpenCV rung's features, matches and model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ds3d_pipeline.poses.diagnosis.colmap_evidence import frame_evidence
from ds3d_pipeline.poses.diagnosis.evidence import Evidence, MatchedPair, ModelEvidence, measure_pairs
from ds3d_pipeline.poses.diagnosis.registration import frame_noun
from ds3d_pipeline.poses.matching.features import Features
from ds3d_pipeline.poses.opencv.matching import PairMatches
from ds3d_pipeline.poses.opencv.model import Model, Tracks
from ds3d_pipeline.poses.opencv.triangulation import widest_angles_deg
from ds3d_pipeline.scene import Keyframe


def gather_evidence(
    frames: Sequence[Keyframe],
    images: Path,
    features: Sequence[Features],
    matches: Sequence[PairMatches],
    tracks: Tracks,
    model: Model | None,
) -> Evidence:
    """Evidence of the frames in order; `images` is the folder of the keyframes."""
    pairs = [_matched(pair, features) for pair in matches]
    sizes_wh, focals = [frame.size_wh for frame in frames], [frame.focal_px for frame in frames]
    return Evidence(
        frames=frame_evidence(frames, [len(one.keypoints) for one in features], images),
        pairs=measure_pairs(pairs, sizes_wh, focals),
        model=_model_evidence(frames, tracks, model) if model is not None else None,
        noun=frame_noun(frames),
    )


def _matched(pair: PairMatches, features: Sequence[Features]) -> MatchedPair:
    """`matches` is what there would have been without the help of the epipolar geometry."""
    first, second = pair.indices.T
    return MatchedPair(
        first=pair.first,
        second=pair.second,
        matches=round(len(pair.indices) / pair.inlier_ratio),
        inliers=len(pair.indices),
        uv_first=features[pair.first].keypoints[first, :2].astype(np.float64),
        uv_second=features[pair.second].keypoints[second, :2].astype(np.float64),
    )


def _model_evidence(frames: Sequence[Keyframe], tracks: Tracks, model: Model) -> ModelEvidence:
    registered = np.flatnonzero(model.registered).tolist()
    angles = widest_angles_deg(tracks, model)[np.isfinite(model.points[:, 0])]
    return ModelEvidence(
        images=frozenset(frames[number].image for number in registered),
        points_per_frame=float(model.used.sum() / len(registered)) if registered else 0.0,
        triangulation_angle_deg=float(np.median(angles)) if len(angles) else 0.0,
    )
