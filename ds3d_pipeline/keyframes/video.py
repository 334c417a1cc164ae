"""Keyframes of a video: one pass to measure all frames, one to write the chosen ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ds3d_pipeline.capture.video import VideoFrame, frames_at, iter_frames
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.formats.images import gray_of, map_in_threads, shrunk, write_jpeg
from ds3d_pipeline.keyframes.motion import MOTION_SIDE_PX, MotionMeter, equivalent_shift_px
from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.selection import FrameMeasure, select_frames
from ds3d_pipeline.keyframes.sharpness import MEASURE_SIDE_PX, sharpness
from ds3d_pipeline.keyframes.sharpness_plot import Chosen, PlotPoint
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.words import plural
from ds3d_pipeline.scene import Capture, Keyframe, Keyframes, SourceFile, UInt8, VideoInfo

BLACK_LEVEL = 32
"""A frame is black when 99 % of it is darker; limited-range black with noise stays well below."""
REPEATED_SHIFT_PX = 0.1
"""A frame repeats the one before when their difference is that of a smaller shift."""
OTHER_SIZE = "another size"
FROZEN_S = 0.25
"""Repeats that last this long are a frozen image; shorter ones, from a changed frame rate, duplicates."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """One decoded frame, measured alone."""

    index: int
    timestamp_s: float
    sharpness: float
    is_black: bool
    gray: UInt8
    full_size_wh: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """All frames of a video in order; `reason` is why one is left out."""

    frames: tuple[FrameMeasure, ...]
    reasons: tuple[str | None, ...]
    unreadable: int

    @property
    def usable(self) -> list[FrameMeasure]:
        return [frame for frame, reason in zip(self.frames, self.reasons, strict=True) if reason is None]

    @property
    def dropped(self) -> dict[str, int]:
        counts = Counter(reason for reason in self.reasons if reason is not None)
        if self.unreadable:
            counts["unreadable"] = self.unreadable
        return dict(sorted(counts.items()))


def video_keyframes(capture: Capture, work: Work[KeyframesOptions]) -> Chosen:
    """Chooses by `select_frames` among all frames that are neither black nor a repeat of the one before,
    and writes them to OUTPUT/`images/`. Raises InputError where there are none.
    """
    source = capture.sources[0]
    path = work.input / "source" / source.file
    measured = _measure(path, capture.video, work)
    usable = measured.usable
    if not usable:
        cause = f"{source.name} has no usable frame: all frames are black."
        raise InputError(cause, "Record again with more light and an uncovered lens.")
    chosen = [usable[position] for position in select_frames(usable, work.options)]
    frames = _write(path, source, chosen, work)
    keyframes = Keyframes(
        kind="video",
        frames=frames,
        considered=len(measured.frames) + measured.unreadable,
        dropped=measured.dropped,
    )
    return Chosen(
        keyframes=keyframes,
        plot=_plot(measured, chosen),
        x_label="seconds",
        numbers=_numbers(measured.frames, chosen),
    )


def _measure(path: Path, info: VideoInfo | None, work: Work[KeyframesOptions]) -> _Measured:
    unreadable = 0

    def count_unreadable() -> None:
        nonlocal unreadable
        unreadable += 1

    report, by_size = work.progress.part(0.0, 0.7), defaultdict[tuple[int, int], _OneSize](_OneSize)
    frames: list[FrameMeasure] = []
    sizes: list[tuple[int, int]] = []
    reasons: list[str | None] = []
    decoded = iter_frames(path, max_side_px=MEASURE_SIDE_PX, on_corrupt=count_unreadable)
    for seen in map_in_threads(_look_at, decoded):
        measure, reason = by_size[seen.full_size_wh].add(seen)
        frames.append(measure)
        sizes.append(seen.full_size_wh)
        reasons.append(reason)
        report(_fraction(seen, info), f"{plural(len(frames), 'frame')} checked")
    reasons = _named_repeats(_only_largest(sizes, reasons), [frame.timestamp_s for frame in frames])
    return _Measured(frames=tuple(frames), reasons=tuple(reasons), unreadable=unreadable)


def _look_at(frame: VideoFrame) -> _Seen:
    gray = gray_of(frame.rgb)
    return _Seen(
        index=frame.index,
        timestamp_s=frame.timestamp_s,
        sharpness=sharpness(gray),
        is_black=bool(np.quantile(gray, 0.99) < BLACK_LEVEL),
        gray=shrunk(gray, MOTION_SIDE_PX),
        full_size_wh=frame.full_size_wh,
    )


class _OneSize:
    """Compares the frames of one size with each other; a video may change its size."""

    def __init__(self) -> None:
        self._meter, self._repeats = MotionMeter(), _RepeatFinder()
        self._motion = 0.0

    def add(self, seen: _Seen) -> tuple[FrameMeasure, str | None]:
        """The frame's measures, and why it is left out."""
        reason = "black" if seen.is_black else self._repeats.reason(seen)
        if reason is None:
            self._motion = self._meter.advance(seen.gray)
        measure = FrameMeasure(
            index=seen.index,
            timestamp_s=seen.timestamp_s,
            sharpness=seen.sharpness,
            motion=self._motion,
        )
        return measure, reason


def _only_largest(sizes: Sequence[tuple[int, int]], reasons: Sequence[str | None]) -> list[str | None]:
    """Leaves out all sizes but the one that most frames have, of equals the larger."""
    counts = Counter(size for size, reason in zip(sizes, reasons, strict=True) if reason is None)
    if len(counts) < 2:
        return list(reasons)
    kept = max(counts, key=lambda size: (counts[size], size[0] * size[1]))
    return [
        reason or (None if size == kept else OTHER_SIZE) for size, reason in zip(sizes, reasons, strict=True)
    ]


class _RepeatFinder:
    """Compares each frame with the last that was no repeat, so that slow motion is noticed in the end."""

    def __init__(self) -> None:
        self._kept: UInt8 | None = None

    def reason(self, seen: _Seen) -> str | None:
        if self._kept is not None and equivalent_shift_px(self._kept, seen.gray) < REPEATED_SHIFT_PX:
            return "duplicate"
        self._kept = seen.gray
        return None


def _named_repeats(reasons: Sequence[str | None], times_s: Sequence[float]) -> list[str | None]:
    """Calls runs of repeats "frozen" where they last for `FROZEN_S` or more."""
    named, start = list(reasons), 0
    while start < len(named):
        end = start + 1
        if named[start] == "duplicate":
            while end < len(named) and named[end] == "duplicate":
                end += 1
            if times_s[end - 1] - times_s[max(start - 1, 0)] >= FROZEN_S:
                named[start:end] = ["frozen"] * (end - start)
        start = end
    return named


def _fraction(seen: _Seen, info: VideoInfo | None) -> float:
    """Fraction of the video done; 0 if the container does not give its length."""
    if info is not None and info.frames > 0:
        return min(1.0, (seen.index + 1) / info.frames)
    if info is not None and info.duration_s > 0:
        return min(1.0, seen.timestamp_s / info.duration_s)
    return 0.0


def _write(
    path: Path, source: SourceFile, chosen: Sequence[FrameMeasure], work: Work[KeyframesOptions]
) -> tuple[Keyframe, ...]:
    report = work.progress.part(0.7, 0.98)

    def numbered() -> Iterator[tuple[Keyframe, UInt8]]:
        decoded = frames_at(path, [frame.index for frame in chosen], max_side_px=work.options.max_side_px)
        for number, (measure, frame) in enumerate(zip(chosen, decoded, strict=True), 1):
            yield _keyframe(number, source, measure, frame), frame.rgb

    def write(item: tuple[Keyframe, UInt8]) -> Keyframe:
        keyframe, rgb = item
        write_jpeg(work.output / "images" / keyframe.image, rgb)
        return keyframe

    frames: list[Keyframe] = []
    for keyframe in map_in_threads(write, numbered()):
        frames.append(keyframe)
        report(len(frames) / len(chosen), f"wrote {len(frames)} of {len(chosen)} keyframes")
    return tuple(frames)


def _keyframe(number: int, source: SourceFile, measure: FrameMeasure, frame: VideoFrame) -> Keyframe:
    return Keyframe(
        image=f"{number:06d}.jpg",
        source=source.name,
        timestamp_s=measure.timestamp_s,
        sharpness=measure.sharpness,
        size_wh=(frame.rgb.shape[1], frame.rgb.shape[0]),
        camera=0,
        source_size_wh=frame.full_size_wh,
    )


def _plot(measured: _Measured, chosen: Sequence[FrameMeasure]) -> tuple[PlotPoint, ...]:
    taken = {frame.index for frame in chosen}
    return tuple(
        PlotPoint(
            x=frame.timestamp_s,
            sharpness=frame.sharpness,
            chosen=frame.index in taken,
            dropped=reason is not None,
        )
        for frame, reason in zip(measured.frames, measured.reasons, strict=True)
    )


def _numbers(frames: Sequence[FrameMeasure], chosen: Sequence[FrameMeasure]) -> dict[str, float]:
    """`fps` and how far apart neighbouring keyframes are at most: in time, and in diagonals of motion."""
    duration_s = frames[-1].timestamp_s
    gaps_s = [b.timestamp_s - a.timestamp_s for a, b in pairwise(chosen)]
    gaps_motion = [b.motion - a.motion for a, b in pairwise(chosen)]
    return {
        "fps": round((len(frames) - 1) / duration_s, 3) if duration_s > 0 else 0.0,
        "duration_s": round(duration_s, 3),
        "total_motion": round(frames[-1].motion, 3),
        "largest_gap_s": round(max(gaps_s, default=0.0), 3),
        "largest_gap_motion": round(max(gaps_motion, default=0.0), 3),
    }
