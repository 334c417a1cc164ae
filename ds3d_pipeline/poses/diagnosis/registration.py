"""Which frames could not be registered, by the user's own names and with their neighbours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ds3d_pipeline.poses.report import UnregisteredFrame
from ds3d_pipeline.programs.words import plural
from ds3d_pipeline.scene import Keyframe, Keyframes

MOST_NAMED = 3
"""Runs of frames that a sentence names before it ends with "and n more"."""

FrameNoun = Literal["photo", "frame"]


def frame_name(frame: Keyframe) -> str:
    """The photo's file name, or the time in the video."""
    return frame.source if frame.timestamp_s is None else f"{frame.timestamp_s:.2f} s"


def frame_noun(frames: Sequence[Keyframe]) -> FrameNoun:
    """What the user calls the keyframes of a capture."""
    return "photo" if all(frame.timestamp_s is None for frame in frames) else "frame"


@dataclass(frozen=True, kw_only=True)
class Unregistered:
    """The fields of `PosesReport` about keyframes that are not registered."""

    unregistered_frames: tuple[UnregisteredFrame, ...]
    largest_gap: int
    unregistered_text: str


def describe_unregistered(keyframes: Keyframes, registered: Collection[str]) -> Unregistered:
    """The report of the unregistered frames, given the images of the registered ones."""
    runs = unregistered_runs(keyframes.frames, registered)
    return Unregistered(
        unregistered_frames=tuple(
            UnregisteredFrame(
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
        unregistered_text=_sentence(keyframes.frames, runs),
    )


def unregistered_runs(frames: Sequence[Keyframe], registered: Collection[str]) -> list[tuple[int, int]]:
    """Runs (first, one after the last) of neighbouring frames that are not among the images `registered`."""
    missing = [index for index, frame in enumerate(frames) if frame.image not in registered]
    runs = []
    for _, group in groupby(enumerate(missing), key=lambda pair: pair[1] - pair[0]):
        indices = [index for _, index in group]
        runs.append((indices[0], indices[-1] + 1))
    return runs


def _name_at(frames: Sequence[Keyframe], index: int) -> str | None:
    return frame_name(frames[index]) if 0 <= index < len(frames) else None


def _sentence(frames: Sequence[Keyframe], runs: Sequence[tuple[int, int]]) -> str:
    """Empty where every frame was registered."""
    if not runs:
        return ""
    named = [_run_text(frames, start, end) for start, end in runs[:MOST_NAMED]]
    more = sum(end - start for start, end in runs[MOST_NAMED:])
    return f"Not aligned: {'; '.join(named)}{f'; and {more} more' if more else ''}."


def _run_text(frames: Sequence[Keyframe], start: int, end: int) -> str:
    first, last, count = frame_name(frames[start]), frame_name(frames[end - 1]), end - start
    after, before = _name_at(frames, start - 1), _name_at(frames, end)
    number = plural(count, frame_noun(frames)) if count > 2 else ""
    where = f"between {after} and {before}" if after and before else ""
    where = where or (f"after {after}" if after else f"before {before}" if before else "")
    names = first if count == 1 else f"{first} and {last}" if count == 2 else f"{first} to {last}"
    notes = ", ".join(filter(None, (number, where)))
    return f"{names} ({notes})" if notes else names
