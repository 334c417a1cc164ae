"""What to do better in the next capture: each piece of advice names the number that it follows from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ds3d_pipeline.keyframes.report import KeyframesReport
from ds3d_pipeline.metrics.record import FrameFacts, Metrics, Status
from ds3d_pipeline.names import MODES as MODE_NAMES
from ds3d_pipeline.programs.words import listing, plural
from ds3d_pipeline.report.camera_path import PathFacts
from ds3d_pipeline.report.numbers import COVERAGE, PSNR_DB, REPROJECTION_PX
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.stages.table import stage_label

MOST = 6
SOFT = 0.5
"""Keyframes below this fraction of the median sharpness are soft."""
FEW_FRAMES = 20
_MIN_SOURCE_PX = 1200
_OVERFIT_DB = 5.0
_WHAT_IS_WRONG = {
    "duplicate": "are duplicates",
    "black": "are black",
    "frozen": "repeat the previous frame",
    "another size": "have another size than most",
    "unreadable": "could not be read",
}


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A finding with its number, and the step that follows from it."""

    finding: str
    step: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the rules read."""

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
    """At most `MOST` pieces of advice, the most important first."""
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
                finding=f"{stage_label(stage)}: most likely ran out of memory.",
                step="Close other programs, or use a smaller mode such as fastest.",
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
        "Film these parts more slowly"
        if facts.is_video
        else "Take more photos between these and the previous and next ones"
    )
    yield Advice(
        finding=f"{len(lost)} of {plural(len(facts.frames), 'keyframe')} not aligned: {listing(names)}.",
        step=f"{step}: each should share about two thirds of its view with the previous one.",
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
            finding=f"{len(soft)} of {len(values)} keyframes are less than half as sharp as the median: "
            f"{listing(names)}.",
            step="Use more light and move the camera more slowly, to avoid motion blur.",
        )


def _dropped(facts: Facts) -> Iterator[Advice]:
    if facts.keyframes is None:
        return
    considered = facts.keyframes.considered
    for reason, number in facts.keyframes.dropped.items():
        if reason in _WHAT_IS_WRONG and number >= max(2, 0.05 * considered):
            word = "frame" if facts.is_video else "photo"
            yield Advice(
                finding=f"{number} of {plural(considered, word)} {_WHAT_IS_WRONG[reason]}.",
                step=f"Leave such {word}s out, and check that the recording is complete.",
            )


def _too_few(facts: Facts) -> Iterator[Advice]:
    if 0 < len(facts.frames) < FEW_FRAMES:
        step = "Film for 20 to 60 seconds" if facts.is_video else "Take 30 to 80 photos"
        yield Advice(
            finding=f"This capture has only {plural(len(facts.frames), 'keyframe')}.",
            step=f"{step}, with about two thirds overlap between neighbours.",
        )


def _path(facts: Facts) -> Iterator[Advice]:
    path = facts.path
    if path is None:
        return
    if path.sideways < 0.2:
        yield Advice(
            finding=f"The camera moved by only {path.sideways:.0%} of its distance to the scene.",
            step="Step sideways instead of only rotating: depth comes from movement.",
        )
    elif path.looks_inwards and path.arc_deg < 300:
        yield Advice(
            finding=f"The camera covered {path.arc_deg:.0f}° around the scene; other sides are missing.",
            step="Walk all the way around an object; for a wall or a room this is fine.",
        )
    elif path.looks_inwards and path.heights_deg < 8:
        yield Advice(
            finding=f"All keyframes were taken at about the same height ({path.heights_deg:.0f}° apart).",
            step="Add a second round from higher up, to capture the top as well.",
        )


def _inexact(facts: Facts) -> Iterator[Advice]:
    error = facts.metrics.poses.mean_reprojection_error_px if facts.metrics.poses else None
    if error is not None and REPROJECTION_PX.grade(error) != "good":
        yield Advice(
            finding=f"The mean reprojection error is {error:.2f} px.",
            step="Keep zoom and focus fixed, switch stabilisation off, and avoid moving objects.",
        )


def _thin_depth(facts: Facts) -> Iterator[Advice]:
    depth = facts.metrics.depth
    if depth is not None and depth.measured and COVERAGE.grade(depth.measured) != "good":
        yield Advice(
            finding=f"Depth is measured for only {depth.measured:.0%} of all pixels.",
            step="Smooth, shiny and transparent surfaces give no depth: use soft, even light, go closer, and "
            "capture every part from at least three positions.",
        )


def _splat(facts: Facts) -> Iterator[Advice]:
    splat = facts.metrics.splat
    if splat is None or splat.heldout is None:
        return
    psnr_db, trained = splat.heldout.psnr_db, splat.train_psnr_db
    if trained is not None and trained - psnr_db > _OVERFIT_DB:
        yield Advice(
            finding=f"The splat reaches {trained:.1f} dB on training photos, but only "
            f"{psnr_db:.1f} dB on held-out ones.",
            step="Take more photos from viewpoints between the existing ones.",
        )
    elif PSNR_DB.grade(psnr_db) != "good" and facts.metrics.mode != "quality":
        yield Advice(
            finding=f"The splat reaches only {psnr_db:.1f} dB on held-out photos.",
            step="Train longer and on larger photos with `--mode quality`.",
        )


def _small(facts: Facts) -> Iterator[Advice]:
    if facts.metrics.input is None or not facts.frames:
        return
    source = max(facts.metrics.input.size)
    used = MODES[facts.metrics.mode].keyframes.max_side_px
    larger = _larger_mode(facts.metrics.mode)
    finest = MODES[larger].keyframes.max_side_px
    if source < _MIN_SOURCE_PX:
        yield Advice(
            finding=f"The photos have only {source} px on their longer side.",
            step="Record in Full HD or 4K, and use the original files, not copies from a messenger.",
        )
    elif min(source, finest) > 1.25 * used and facts.metrics.status is not Status.FAILED:
        yield Advice(
            finding=f"The photos have {source} px on their longer side; this mode used {used}.",
            step=f"For more detail, use `--mode {larger}` (up to {finest} px; it takes longer).",
        )


def _larger_mode(mode: str) -> str:
    """The next larger mode; the largest is its own."""
    return MODE_NAMES[min(MODE_NAMES.index(mode) + 1, len(MODE_NAMES) - 1)]


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
