"""Which frames could not be placed, told by the user's own names and with their neighbours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from ds3d_pipeline.poses.report import UnplacedFrame
from ds3d_pipeline.scene import Keyframe, Keyframes

MOST_NAMED = 3
"""Runs of frames that a sentence names before it says "and n more"."""


def frame_name(frame: Keyframe) -> str:
    """The photo's file name, or the time in the video."""
    return frame.source if frame.timestamp_s is None else f"{frame.timestamp_s:.2f} s"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The fields of `PosesReport` about keyframes that are not registered."""

    unplaced: tuple[UnplacedFrame, ...]
    largest_gap: int
    unplaced_text: str


def tell_placement(keyframes: Keyframes, placed: Collection[str]) -> Placement:
    """What a report says of the frames given the images of those `placed`."""
    runs = unplaced_runs(keyframes.frames, placed)
    return Placement(
        unplaced=tuple(
            UnplacedFrame(
                image=frame.image,
                source=frame.source,
                timestamp_s=frame.timestamp_s,
                after=_name_at(keyframes.frames, start - 1),
                before=_name_at(keyframes.frames, end),
            )
            for start, end in runs
            for frame in keyframes.frames[start:end]
        ),
        largest_gap=max((end - start for start, end in runs), default=0),
        unplaced_text=_sentence(keyframes.frames, runs),
    )


def unplaced_runs(frames: Sequence[Keyframe], placed: Collection[str]) -> list[tuple[int, int]]:
    """Runs (first, one after the last) of neighbouring frames that are not among the images `placed`."""
    missing = [index for index, frame in enumerate(frames) if frame.image not in placed]
    runs = []
    for _, group in groupby(enumerate(missing), key=lambda pair: pair[1] - pair[0]):
        indices = [index for _, index in group]
        runs.append((indices[0], indices[-1] + 1))
    return runs


def _name_at(frames: Sequence[Keyframe], index: int) -> str | None:
    return frame_name(frames[index]) if 0 <= index < len(frames) else None


def _sentence(frames: Sequence[Keyframe], runs: Sequence[tuple[int, int]]) -> str:
    """Empty where every frame was placed."""
    if not runs:
        return ""
    named = [_run_text(frames, start, end) for start, end in runs[:MOST_NAMED]]
    more = sum(end - start for start, end in runs[MOST_NAMED:])
    return f"Not placed: {'; '.join(named)}{f'; and {more} more' if more else ''}."


def _run_text(frames: Sequence[Keyframe], start: int, end: int) -> str:
    first, last = _name_at(frames, start), _name_at(frames, end - 1)
    after, before = _name_at(frames, start - 1), _name_at(frames, end)
    who = first if end - start == 1 else f"{first} to {last} ({end - start} frames)"
    if after and before:
        return f"{who}, between {after} and {before}"
    return f"{who}, after {after}" if after else f"{who}, before {before}" if before else f"{who}"
