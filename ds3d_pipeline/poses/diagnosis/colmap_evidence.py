"""The evidence of a COLMAP database and model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ds3d_pipeline.formats.images import map_in_threads, read_gray
from ds3d_pipeline.poses.diagnosis.evidence import (
    FEW_FEATURES,
    Evidence,
    FrameEvidence,
    MatchedPair,
    ModelEvidence,
    contrast,
    measure_pairs,
)
from ds3d_pipeline.poses.diagnosis.registration import frame_name, frame_noun
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.scene import Float64, Keyframe, Keyframes

FEWEST_MATCHES = 8
MOST_POINTS = 4000


def gather_evidence(
    database: Path, keyframes: Keyframes, images: Path, model: pycolmap.Reconstruction | None
) -> Evidence:
    """Evidence of the frames in order; `images` is the folder of the keyframes."""
    frames = keyframes.frames
    with pycolmap.Database.open(database) as opened:
        ids = {image.name: image.image_id for image in opened.read_all_images()}
        counts = [opened.num_keypoints_for_image(ids[frame.image]) for frame in frames]
        pairs = _verified(opened, {ids[frame.image]: index for index, frame in enumerate(frames)})
    sizes_wh = [frame.size_wh for frame in frames]
    return Evidence(
        frames=frame_evidence(frames, counts, images),
        pairs=measure_pairs(pairs, sizes_wh, [frame.focal_px for frame in frames]),
        model=model_evidence(model) if model is not None else None,
        noun=frame_noun(frames),
    )


def frame_evidence(
    frames: Sequence[Keyframe], counts: Sequence[int], images: Path
) -> tuple[FrameEvidence, ...]:
    """Of frames with these numbers of features; `images` is the folder of the keyframes."""

    def look_at(item: tuple[Keyframe, int]) -> FrameEvidence:
        frame, features = item
        is_poor = features < FEW_FEATURES
        return FrameEvidence(
            image=frame.image,
            name=frame_name(frame),
            features=features,
            sharpness=frame.sharpness,
            contrast=contrast(read_gray(images / frame.image)) if is_poor else None,
        )

    return tuple(map_in_threads(look_at, zip(frames, counts, strict=True)))


def _verified(database: pycolmap.Database, index_of: dict[int, int]) -> list[MatchedPair]:
    pair_ids, geometries = database.read_two_view_geometries()
    matches = dict(zip(*database.read_num_matches(), strict=True))
    keypoints = {i: np.asarray(database.read_keypoints(i), np.float64)[:, :2] for i in index_of}
    found = []
    for pair_id, geometry in zip(pair_ids, geometries, strict=True):
        inliers = geometry.inlier_matches
        if len(inliers) < FEWEST_MATCHES:
            continue
        first, second = pycolmap.pair_id_to_image_pair(pair_id)
        found.append(
            MatchedPair(
                first=index_of[first],
                second=index_of[second],
                matches=matches.get(pair_id, len(inliers)),
                inliers=len(inliers),
                uv_first=keypoints[first][inliers[:, 0]],
                uv_second=keypoints[second][inliers[:, 1]],
            )
        )
    return found


def model_evidence(model: pycolmap.Reconstruction) -> ModelEvidence:
    """Of the registered images and the points of a model."""
    registered = [image for image in model.images.values() if image.has_pose]
    points = list(model.points3D.values())[:: max(1, len(model.points3D) // MOST_POINTS)]
    centres = {image.image_id: image.projection_center() for image in registered}
    angles = [
        widest_angle_deg(point.xyz, np.array([centres[e.image_id] for e in point.track.elements]))
        for point in points
    ]
    return ModelEvidence(
        images=frozenset(image.name for image in registered),
        points_per_frame=float(np.mean([image.num_points3D for image in registered])) if registered else 0.0,
        triangulation_angle_deg=float(np.median(angles)) if angles else 0.0,
    )


def widest_angle_deg(point: Float64, centres: Float64) -> float:
    """The largest angle between the rays from a point (3,) to camera centres (N, 3)."""
    rays = centres - point
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return float(np.degrees(np.arccos(np.clip((rays @ rays.T).min(), -1, 1))))
