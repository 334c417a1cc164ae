"""What to do better in the next capture: each piece of advice follows from a number that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ds3d_pipeline.keyframes.report import KeyframesReport
from ds3d_pipeline.metrics.record import FrameFacts, Metrics, Status
from ds3d_pipeline.programs.words import listing, plural
from ds3d_pipeline.report.camera_path import PathFacts
from ds3d_pipeline.report.numbers import COVERAGE, PSNR_DB, REPROJECTION_PX, seen_share
from ds3d_pipeline.stages.modes import MODES

MOST = 6
SOFT = 0.5
"""Keyframes below this share of the median sharpness are soft."""
FEW_FRAMES = 20
_MIN_SOURCE_PX = 1200
_OVERFIT_DB = 5.0
_WHAT_IS_WRONG = {
    "duplicate": "are copies of another",
    "black": "are black",
    "frozen": "show the same picture as the one before",
    "unreadable": "could not be read",
}


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A finding with its number, and the step that follows from it."""

    finding: str
    step: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the rules look at."""

    metrics: Metrics
    keyframes: KeyframesReport | None
    path: PathFacts | None

    @property
    def is_video(self) -> bool:
        return self.metrics.input is not None and self.metrics.input.kind == "video"

    @property
    def frames(self) -> Sequence[FrameFacts]:
        """The keyframes, in order."""
        return self.metrics.keyframes


Rule = Callable[[Facts], Iterator[Advice]]


def advise(facts: Facts) -> list[Advice]:
    """At most `MOST` pieces of advice, what costs most first."""
    return [advice for rule in _RULES for advice in rule(facts)][:MOST]


def frame_name(frame: FrameFacts) -> str:
    """A keyframe as the user knows it: a photo's own name, or the time in the video."""
    if frame.timestamp_s is None:
        return frame.source
    return f"{frame.timestamp_s:.1f} s"


def _memory(facts: Facts) -> Iterator[Advice]:
    for stage, entry in facts.metrics.stages.items():
        if any("memory ran out" in attempt.reason for attempt in entry.attempts):
            yield Advice(
                finding=f"{stage} most likely ran out of memory.",
                step="Close other programs, or use a smaller mode, such as fastest.",
            )


def _diagnosis(facts: Facts) -> Iterator[Advice]:
    """What the poses stage itself found wrong with the capture."""
    found = facts.metrics.poses.diagnosis if facts.metrics.poses else None
    if found:
        yield Advice(finding=found.cause, step=found.remedy)


def _lost_frames(facts: Facts) -> Iterator[Advice]:
    lost = set(facts.metrics.poses.unregistered if facts.metrics.poses else ())
    runs = _runs([frame.image in lost for frame in facts.frames])
    if not runs:
        return
    names = [_run_name(facts.frames[start:end], facts.is_video) for start, end in runs]
    step = (
        "Film those parts more slowly"
        if facts.is_video
        else "Take more photos between these and their neighbours"
    )
    yield Advice(
        finding=f"{len(lost)} of {plural(len(facts.frames), 'keyframe')} could not be aligned: "
        f"{listing(names)}.",
        step=f"{step}, so that two neighbouring pictures share at least two thirds of what they show.",
    )


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of every run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(flags, bool), [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _run_name(frames: Sequence[FrameFacts], is_video: bool) -> str:
    first, last = frame_name(frames[0]), frame_name(frames[-1])
    if first == last:
        return f"at {first}" if is_video else first
    return f"from {first} to {last}" if is_video else f"{first} to {last}"


def _soft_frames(facts: Facts) -> Iterator[Advice]:
    values = np.array([frame.sharpness for frame in facts.frames])
    if len(values) < 4 or not np.median(values) > 0:
        return
    soft = np.flatnonzero(values < SOFT * np.median(values))
    if len(soft) >= max(2, 0.1 * len(values)):
        names = [frame_name(facts.frames[i]) for i in soft[np.argsort(values[soft])]]
        yield Advice(
            finding=f"{len(soft)} of {len(values)} pictures are less than half as sharp as the typical one: "
            f"{listing(names)}.",
            step="Use more light and move the camera more slowly, so that nothing is smeared.",
        )


def _dropped(facts: Facts) -> Iterator[Advice]:
    if facts.keyframes is None:
        return
    considered = facts.keyframes.considered
    for reason, number in facts.keyframes.dropped.items():
        if reason in _WHAT_IS_WRONG and number >= max(2, 0.05 * considered):
            word = "frame" if facts.is_video else "photo"
            yield Advice(
                finding=f"{plural(number, word)} of {considered} {_WHAT_IS_WRONG[reason]}.",
                step="Leave such pictures out, and check that the recording is whole.",
            )


def _too_few(facts: Facts) -> Iterator[Advice]:
    if 0 < len(facts.frames) < FEW_FRAMES:
        step = "Film for 20 to 60 seconds" if facts.is_video else "Take 30 to 80 photos"
        yield Advice(
            finding=f"Only {plural(len(facts.frames), 'picture')} went into this capture.",
            step=f"{step}, each overlapping the one before by two thirds.",
        )


def _path(facts: Facts) -> Iterator[Advice]:
    path = facts.path
    if path is None:
        return
    if path.sideways < 0.2:
        yield Advice(
            finding=f"The camera moved by only {path.sideways:.0%} of its distance to the scene.",
            step="Step sideways instead of turning on the spot: depth comes from movement.",
        )
    elif path.looks_inwards and path.arc_deg < 300:
        yield Advice(
            finding=f"The cameras went {path.arc_deg:.0f}° around the scene; other sides were never seen.",
            step="For an object, walk all the way round it; for a wall or a room this is fine.",
        )
    elif path.looks_inwards and path.heights_deg < 8:
        yield Advice(
            finding=f"All cameras were at about one height: view angles differ by {path.heights_deg:.0f}°.",
            step="Add a second round from higher up, so that the top is seen too.",
        )


def _inexact(facts: Facts) -> Iterator[Advice]:
    error = facts.metrics.poses.mean_reprojection_error_px if facts.metrics.poses else None
    if error is not None and REPROJECTION_PX.grade(error) != "good":
        yield Advice(
            finding=f"Points miss the photos by {error:.2f} px on average.",
            step="Keep zoom and focus fixed, switch stabilisation off, and let nothing move in the scene.",
        )


def _thin_depth(facts: Facts) -> Iterator[Advice]:
    depth = facts.metrics.depth
    coverage = seen_share(depth) if depth else None
    if coverage is not None and COVERAGE.grade(coverage) != "good":
        yield Advice(
            finding=f"Distance is known for only {coverage:.0%} of all pixels.",
            step="Smooth, shiny and clear surfaces give no depth: use soft even light, go closer, and "
            "see every part from at least three places.",
        )


def _splat(facts: Facts) -> Iterator[Advice]:
    splat = facts.metrics.splat
    if splat is None or splat.heldout is None:
        return
    psnr_db, trained = splat.heldout.psnr_db, splat.train_psnr_db
    if trained is not None and trained - psnr_db > _OVERFIT_DB:
        yield Advice(
            finding=f"The splat reaches {trained:.1f} dB on photos it was trained with, but only "
            f"{psnr_db:.1f} dB on others.",
            step="Take more views between the ones you have.",
        )
    elif PSNR_DB.grade(psnr_db) != "good" and facts.metrics.mode != "quality":
        yield Advice(
            finding=f"The splat reaches {psnr_db:.1f} dB on photos it never saw.",
            step="The mode quality trains longer and with larger pictures.",
        )


def _small(facts: Facts) -> Iterator[Advice]:
    if facts.metrics.input is None or not facts.frames:
        return
    source = max(facts.metrics.input.size)
    used = MODES[facts.metrics.mode].keyframes.max_side_px
    finest = MODES["quality"].keyframes.max_side_px
    if source < _MIN_SOURCE_PX:
        yield Advice(
            finding=f"The pictures are only {source} px on their longer side.",
            step="Record in Full HD or 4K, or send the original files instead of copies from a messenger.",
        )
    elif min(source, finest) > 1.25 * used and facts.metrics.status is not Status.FAILED:
        yield Advice(
            finding=f"Your pictures have {source} px on their longer side; this mode used {used}.",
            step=f"The mode quality uses up to {finest} px and takes longer.",
        )


_RULES: tuple[Rule, ...] = (
    _memory,
    _diagnosis,
    _lost_frames,
    _soft_frames,
    _path,
    _too_few,
    _dropped,
    _inexact,
    _thin_depth,
    _splat,
    _small,
)
