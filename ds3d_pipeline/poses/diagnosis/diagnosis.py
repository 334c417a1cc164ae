"""Why a capture could not be registered, or only poorly: one cause with its numbers, and one remedy."""

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
from ds3d_pipeline.programs.words import plural

LINK_INLIERS = 20
"""Fewer occur by chance, too."""
SMALLEST = 3
SMALLEST_FRACTION = 0.15
"""A group has at least so many of the frames; the rest are outliers."""


def linked_groups(frames: int, pairs: Sequence[PairEvidence]) -> list[list[int]]:
    """Indices of the frames in each group, the largest first: the connected parts of the graph of pairs."""
    links = [(pair.first, pair.second) for pair in pairs if pair.inliers >= LINK_INLIERS]
    first, second = np.array(links, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (first, second)), shape=(frames, frames))
    count, label = connected_components(graph, directed=False)
    groups = [np.flatnonzero(label == number).tolist() for number in range(count)]
    needed = max(SMALLEST, SMALLEST_FRACTION * frames)
    return sorted((group for group in groups if len(group) >= needed), key=len, reverse=True)


GOOD_FRACTION = 0.8
"""Fraction of registered frames above which there is nothing to explain."""
POOR_POINTS_PER_FRAME = 150
MIN_CONTRAST = 2.0
"""Gray levels; less is sensor noise."""
MIN_SHARPNESS = 0.045
MIN_PARALLAX_DEG = 0.7
"""In the widest tenth of the pairs of a capture that maps badly: a walk around an object has 2 or more."""
NO_PARALLAX_DEG = 0.35
"""The same in one that maps well, as dense frames with little between neighbours do; lenses make 0.3."""
MIN_HOMOGRAPHY_FRACTION = 0.85
MIN_TRIANGULATION_ANGLE_DEG = 2.0
MIN_INLIER_RATIO = 0.5
ENOUGH_MATCHES = 60


def diagnose(evidence: Evidence, min_registered: int = 3) -> Diagnosis | None:
    """The most important cause; None for a capture that was registered well."""
    if len(evidence.frames) < min_registered:
        return _few_frames(evidence, min_registered)
    if not is_poor(evidence):
        return _no_parallax(evidence, NO_PARALLAX_DEG) or _moving(evidence)
    found = _poor_pictures(
        unregistered_frames(evidence) if is_lossy(evidence) else evidence.frames, evidence.noun
    )
    found = found or _no_parallax(evidence, MIN_PARALLAX_DEG) or _groups(evidence) or _moving(evidence)
    return found or _little_overlap(evidence)


def judge(evidence: Evidence, min_registered: int = 3) -> Diagnosis | None:
    """As `diagnose`; raises StageError with cause and remedy where the model is not worth going on with.

    That is a model of too few frames, or one without parallax that mapping found by chance: of few frames,
    with few points, or with angles that the matches do not support.
    """
    found, model = diagnose(evidence, min_registered), evidence.model
    registered = len(model.images) if model else 0
    if model is None or registered < min_registered:
        raise refusal(evidence, registered, min_registered)
    is_by_chance = is_poor(evidence) or model.triangulation_angle_deg >= MIN_TRIANGULATION_ANGLE_DEG
    if found and found.kind == "parallax" and is_by_chance:
        total = plural(len(evidence.frames), evidence.noun)
        raise StageError(
            f"{registered} of {total} could be aligned, but only by chance. {found.cause}", found.remedy
        )
    return found


def refusal(evidence: Evidence, registered: int, min_registered: int) -> StageError:
    """The error of a capture of which too few frames could be registered."""
    found = diagnose(evidence, min_registered) or _little_overlap(evidence)
    if found.kind == "few frames":
        return StageError(found.cause, found.remedy)
    count = f"Only {registered}" if registered else "None"
    needed = f"at least {min_registered} are needed"
    total = plural(len(evidence.frames), evidence.noun)
    return StageError(f"{count} of the {total} could be aligned ({needed}). {found.cause}", found.remedy)


def is_poor(evidence: Evidence) -> bool:
    """Whether frames are missing or registered by few points."""
    model = evidence.model
    return is_lossy(evidence) or model is None or model.points_per_frame < POOR_POINTS_PER_FRAME


def is_lossy(evidence: Evidence) -> bool:
    """Whether more frames are missing than a good capture may lose."""
    return len(unregistered_frames(evidence)) > (1 - GOOD_FRACTION) * len(evidence.frames)


def unregistered_frames(evidence: Evidence) -> tuple[FrameEvidence, ...]:
    """The frames that are not in the model."""
    registered = evidence.model.images if evidence.model else frozenset()
    return tuple(frame for frame in evidence.frames if frame.image not in registered)


def _few_frames(evidence: Evidence, needed: int) -> Diagnosis:
    count = len(evidence.frames)
    return Diagnosis(
        kind="few frames",
        cause=f"There {'is' if count == 1 else 'are'} only {plural(count, f'usable {evidence.noun}')} "
        f"(at least {needed} are needed).",
        remedy=f"Capture at least {max(needed, 8)} overlapping {evidence.noun}s from different places.",
    )


def _poor_pictures(frames: Sequence[FrameEvidence], noun: str) -> Diagnosis | None:
    """Too few features: because there is nothing to see, or because it is blurred."""
    features = np.median([frame.features for frame in frames])
    if features >= FEW_FEATURES:
        return None
    sharpness = np.median([frame.sharpness for frame in frames])
    contrast = np.median([frame.contrast for frame in frames if frame.contrast is not None])
    numbers = f"{features:.0f} features per {noun}, sharpness {sharpness:.3f}, contrast {contrast:.1f} of 255"
    if contrast >= MIN_CONTRAST and sharpness < MIN_SHARPNESS:
        return Diagnosis(
            kind="blur",
            cause=f"The {noun}s are blurred ({numbers}; sharp {noun}s have a sharpness of 0.1 or more).",
            remedy="Capture again with more light and slower movements, and let the camera focus first.",
        )
    return Diagnosis(
        kind="texture",
        cause=f"The scene has too little texture ({numbers}; at least {FEW_FEATURES} features are needed).",
        remedy="Include textured surroundings, or lay a patterned cloth or newspaper around the object.",
    )


def _no_parallax(evidence: Evidence, least_deg: float) -> Diagnosis | None:
    """A rotation explains the matches even of the widest pairs, or the model's rays are almost parallel."""
    fractions = [pair.homography_fraction for pair in evidence.pairs if pair.homography_fraction is not None]
    widest = widest_parallax_deg(evidence.pairs)
    is_rotation = widest is not None and widest < least_deg and np.median(fractions) > MIN_HOMOGRAPHY_FRACTION
    angle = evidence.model.triangulation_angle_deg if evidence.model else np.inf
    if not is_rotation and angle >= MIN_TRIANGULATION_ANGLE_DEG:
        return None
    numbers = [f"{widest:.2f} degrees of parallax in the widest pairs"] if widest is not None else []
    numbers += [f"a median triangulation angle of {angle:.1f} degrees"] if np.isfinite(angle) else []
    return Diagnosis(
        kind="parallax",
        cause=f"The camera only rotated or hardly moved ({', '.join(numbers)}), so depth cannot be measured.",
        remedy=f"Walk sideways around the scene, about one step between {evidence.noun}s.",
    )


def _groups(evidence: Evidence) -> Diagnosis | None:
    groups = linked_groups(len(evidence.frames), evidence.pairs)
    if len(groups) < 2:
        return None
    named = " and ".join(_group_text(evidence, group) for group in groups[:2])
    return Diagnosis(
        kind="groups",
        cause=f"The {evidence.noun}s form {len(groups)} groups with nothing in common: {named}.",
        remedy=f"Reconstruct each group separately, or add {evidence.noun}s that connect them.",
    )


def _group_text(evidence: Evidence, group: Sequence[int]) -> str:
    first, last = evidence.frames[group[0]].name, evidence.frames[group[-1]].name
    return f"{plural(len(group), evidence.noun)} from {first} to {last}"


def _moving(evidence: Evidence) -> Diagnosis | None:
    """Neighbours have many matches that no single rigid motion explains."""
    pairs = [pair for pair in evidence.pairs if pair.matches >= ENOUGH_MATCHES]
    nearest = _strongest_of_each(pairs)
    if len(nearest) < 2:
        return None
    ratio = float(np.median([pair.inliers / pair.matches for pair in nearest]))
    if ratio >= MIN_INLIER_RATIO:
        return None
    return Diagnosis(
        kind="moving scene",
        cause=f"Something in the scene moves: only {ratio:.0%} of the matches between neighbouring "
        f"{evidence.noun}s fit a rigid scene.",
        remedy="Capture while nothing moves: avoid people, leaves, water and reflections.",
    )


def _strongest_of_each(pairs: Sequence[PairEvidence]) -> list[PairEvidence]:
    """For every frame the pair with the most matches."""
    best: dict[int, PairEvidence] = {}
    for pair in sorted(pairs, key=lambda pair: pair.matches):
        best[pair.first] = best[pair.second] = pair
    return list(best.values())


def _little_overlap(evidence: Evidence) -> Diagnosis:
    inliers, noun = [pair.inliers for pair in evidence.pairs], evidence.noun
    median = f", {np.median(inliers):.0f} matches in the median pair" if inliers else ""
    return Diagnosis(
        kind="overlap",
        cause=f"The {noun}s do not overlap enough ({plural(len(inliers), 'matching pair')}{median}).",
        remedy=f"Capture one scene, and move less between {noun}s: each should share about two thirds "
        "with the previous one.",
    )
