"""Why a capture could not be placed, or only poorly: one cause with its numbers, and one remedy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.poses.diagnosis.evidence import (
    FEW_FEATURES,
    Evidence,
    FrameEvidence,
    PairEvidence,
    widest_parallax_deg,
)
from ds3d_pipeline.poses.report import Diagnosis

LINK_INLIERS = 20
"""Fewer are met by chance, too."""
SMALLEST = 3
SMALLEST_SHARE = 0.15
"""A group has at least so many of the frames; the rest are strays."""


def linked_groups(frames: int, pairs: Sequence[PairEvidence]) -> list[list[int]]:
    """Indices of the frames in each group, the largest first: the connected parts of the graph of pairs."""
    links = [(pair.first, pair.second) for pair in pairs if pair.inliers >= LINK_INLIERS]
    first, second = np.array(links, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (first, second)), shape=(frames, frames))
    count, label = connected_components(graph, directed=False)
    groups = [np.flatnonzero(label == number).tolist() for number in range(count)]
    needed = max(SMALLEST, SMALLEST_SHARE * frames)
    return sorted((group for group in groups if len(group) >= needed), key=len, reverse=True)


GOOD_SHARE = 0.8
"""Of the frames, placed: nothing to explain."""
POOR_POINTS_PER_FRAME = 150
MIN_CONTRAST = 2.0
"""Gray levels; less is sensor noise."""
MIN_SHARPNESS = 0.045
MIN_PARALLAX_DEG = 0.7
"""In the widest tenth of the pairs of a capture that maps badly: a walk around an object has 2 or more."""
NO_PARALLAX_DEG = 0.35
"""The same in one that maps well, as dense frames with little between neighbours do; lenses make 0.3."""
MIN_HOMOGRAPHY_SHARE = 0.85
MIN_TRIANGULATION_ANGLE_DEG = 2.0
MIN_INLIER_RATIO = 0.5
ENOUGH_MATCHES = 60


def diagnose(evidence: Evidence, min_registered: int = 3) -> Diagnosis | None:
    """The cause that spoils most, None for a capture that was placed well."""
    if len(evidence.frames) < min_registered:
        return _few_frames(evidence, min_registered)
    if not is_poor(evidence):
        return _no_parallax(evidence, NO_PARALLAX_DEG) or _moving(evidence)
    found = _poor_pictures(unplaced_frames(evidence) if is_lossy(evidence) else evidence.frames)
    found = found or _no_parallax(evidence, MIN_PARALLAX_DEG) or _groups(evidence) or _moving(evidence)
    return found or _little_overlap(evidence)


def judge(evidence: Evidence, min_registered: int = 3) -> Diagnosis | None:
    """As `diagnose`; raises StageError with cause and remedy where the model is not worth going on with.

    That is one of too few frames, or one of frames without parallax that mapping laid out by chance: few of
    them, with few points, or with angles that the matches do not have.
    """
    found, model = diagnose(evidence, min_registered), evidence.model
    placed = len(model.images) if model else 0
    if model is None or placed < min_registered:
        raise refusal(evidence, placed, min_registered)
    is_by_chance = is_poor(evidence) or model.triangulation_angle_deg >= MIN_TRIANGULATION_ANGLE_DEG
    if found and found.kind == "parallax" and is_by_chance:
        told = f"{placed} of {len(evidence.frames)} frames could be placed, but only by chance."
        raise StageError(f"{told} {found.cause}", found.remedy)
    return found


def refusal(evidence: Evidence, placed: int, min_registered: int) -> StageError:
    """The error of a capture of which too few frames could be placed."""
    found = diagnose(evidence, min_registered) or _little_overlap(evidence)
    told = f"Only {placed} of {len(evidence.frames)} frames could be placed, at least {min_registered}"
    return StageError(f"{told} are needed. {found.cause}", found.remedy)


def is_poor(evidence: Evidence) -> bool:
    """Whether frames are missing or placed by few points."""
    model = evidence.model
    return is_lossy(evidence) or model is None or model.points_per_frame < POOR_POINTS_PER_FRAME


def is_lossy(evidence: Evidence) -> bool:
    """Whether more frames are missing than a good capture may lose."""
    return len(unplaced_frames(evidence)) > (1 - GOOD_SHARE) * len(evidence.frames)


def unplaced_frames(evidence: Evidence) -> tuple[FrameEvidence, ...]:
    """Those that the model does not hold."""
    placed = evidence.model.images if evidence.model else frozenset()
    return tuple(frame for frame in evidence.frames if frame.image not in placed)


def _few_frames(evidence: Evidence, needed: int) -> Diagnosis:
    return Diagnosis(
        kind="few frames",
        cause=f"The capture has {len(evidence.frames)} usable frames.",
        remedy=f"Take at least {max(needed, 8)} overlapping pictures from different places.",
    )


def _poor_pictures(frames: Sequence[FrameEvidence]) -> Diagnosis | None:
    """Too few features: because there is nothing to see, or because it is blurred."""
    features = np.median([frame.features for frame in frames])
    if features >= FEW_FEATURES:
        return None
    sharpness = np.median([frame.sharpness for frame in frames])
    contrast = np.median([frame.contrast for frame in frames if frame.contrast is not None])
    numbers = f"{features:.0f} features a frame, sharpness {sharpness:.3f}, contrast {contrast:.1f} of 255"
    if contrast >= MIN_CONTRAST and sharpness < MIN_SHARPNESS:
        return Diagnosis(
            kind="blur",
            cause=f"The pictures are blurred ({numbers}; sharp pictures have a sharpness of 0.1).",
            remedy="Capture again with more light and slower movements, and let the camera focus.",
        )
    return Diagnosis(
        kind="texture",
        cause=f"The scene has too little texture ({numbers}; {FEW_FEATURES} features are needed).",
        remedy="Include textured surroundings, or lay a patterned cloth or newspaper around the object.",
    )


def _no_parallax(evidence: Evidence, least_deg: float) -> Diagnosis | None:
    """A turn explains the matches even of the widest pairs, or the model's rays are all but parallel."""
    shares = [pair.homography_share for pair in evidence.pairs if pair.homography_share is not None]
    widest = widest_parallax_deg(evidence.pairs)
    is_turn = widest is not None and widest < least_deg and np.median(shares) > MIN_HOMOGRAPHY_SHARE
    angle = evidence.model.triangulation_angle_deg if evidence.model else np.inf
    if not is_turn and angle >= MIN_TRIANGULATION_ANGLE_DEG:
        return None
    numbers = [f"{widest:.2f} degrees of parallax in the widest pairs"] if widest is not None else []
    numbers += [f"a median triangulation angle of {angle:.1f} degrees"] if np.isfinite(angle) else []
    return Diagnosis(
        kind="parallax",
        cause=f"The camera only turned, or hardly moved ({', '.join(numbers)}), so depth cannot be seen.",
        remedy="Capture again walking sideways around the scene, about a step between pictures.",
    )


def _groups(evidence: Evidence) -> Diagnosis | None:
    groups = linked_groups(len(evidence.frames), evidence.pairs)
    if len(groups) < 2:
        return None
    named = " and ".join(_group_text(evidence.frames, group) for group in groups[:2])
    return Diagnosis(
        kind="groups",
        cause=f"The frames fall into {len(groups)} groups that show nothing in common: {named}.",
        remedy="Reconstruct every place on its own, or add the pictures that lead from one to the other.",
    )


def _group_text(frames: Sequence[FrameEvidence], group: Sequence[int]) -> str:
    return f"{len(group)} frames from {frames[group[0]].name} to {frames[group[-1]].name}"


def _moving(evidence: Evidence) -> Diagnosis | None:
    """Neighbours look alike in many places that do not move as one."""
    pairs = [pair for pair in evidence.pairs if pair.matches >= ENOUGH_MATCHES]
    nearest = _strongest_of_each(pairs)
    if len(nearest) < 2:
        return None
    ratio = float(np.median([pair.inliers / pair.matches for pair in nearest]))
    if ratio >= MIN_INLIER_RATIO:
        return None
    return Diagnosis(
        kind="moving scene",
        cause=f"The scene itself moves: only {ratio:.0%} of the matches between neighbouring frames fit one "
        "rigid scene.",
        remedy="Capture while nothing moves: no people, leaves, water or reflections in most of the picture.",
    )


def _strongest_of_each(pairs: Sequence[PairEvidence]) -> list[PairEvidence]:
    """The pair with most matches of every frame."""
    best: dict[int, PairEvidence] = {}
    for pair in sorted(pairs, key=lambda pair: pair.matches):
        best[pair.first] = best[pair.second] = pair
    return list(best.values())


def _little_overlap(evidence: Evidence) -> Diagnosis:
    matched = f"{len(evidence.pairs)} pairs of frames match"
    if evidence.pairs:
        matched += f", with a median of {np.median([pair.inliers for pair in evidence.pairs]):.0f} matches"
    return Diagnosis(
        kind="overlap",
        cause=f"Too few frames show the same things ({matched}).",
        remedy="Move less between pictures, so that each shares two thirds with the one before.",
    )
