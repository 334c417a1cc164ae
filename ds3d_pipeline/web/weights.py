"""How long a capture takes on this machine: learned from the captures that it has finished.

Every finished capture shows how long each stage took for how many keyframes. Of a mode that was never run
here the table below counts, scaled by how much faster or slower than it the other modes ran.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from upath import UPath

from ds3d_pipeline.execution.progress import StageState
from ds3d_pipeline.names import MODES, STAGES
from ds3d_pipeline.programs.options import is_table
from ds3d_pipeline.storage.bundles import CURRENT, current_version
from ds3d_pipeline.storage.home import Home

LEARNED_FROM = 20
"""So many of the latest captures of a mode count."""
MADE: tuple[str, ...] = STAGES[:-1]
PUBLISHING_S = 3.0
"""From the last stage to the finished folder."""
BETWEEN_S = 1.5
"""From the end of a stage to the begin of the next."""
USUAL_KEYFRAMES = {"fastest": 30, "balanced": 40, "quality": 80}
_USUAL: dict[str, dict[str, float]] = {
    "fastest": dict(zip(MADE, (1, 3, 15, 90, 9, 21, 3), strict=True)),
    "balanced": dict(zip(MADE, (1, 6, 80, 400, 50, 110, 190), strict=True)),
    "quality": dict(zip(MADE, (2, 15, 400, 4000, 250, 500, 920), strict=True)),
}
"""Seconds a stage, for that many keyframes, on a machine with two cores and no graphics card."""
_GROWTH: dict[str, float] = dict(zip(MADE, (0.5, 1.0, 1.0, 1.0, 1.0, 0.7, 0.0), strict=True))
"""With which power of the number of keyframes a stage grows; training the splat has a limit of time."""
_TRUST = 0.15
"""How much of a whole run the expectation weighs against what this run has shown so far."""
_OVERRUN = 0.3
"""So much longer than until now does a stage take whose time is over."""
_EARLY = 0.02
"""A program that is no further says nothing about how long it will take."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long the stages of one finished capture took, in seconds; only those that made something."""

    mode: str
    keyframes: int
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """How far a run is (0 to 1), and how long it still takes."""

    fraction: float
    remaining_s: float


def timing_of(metrics: Mapping[str, Any]) -> Timing | None:
    """What a `metrics.json` says about time; None of one that failed or is not ours."""
    mode, stages, keyframes = metrics.get("mode"), metrics.get("stages"), metrics.get("keyframes")
    if metrics.get("status") == "failed" or not is_table(stages) or not isinstance(keyframes, list):
        return None
    made = {name: facts for name, facts in stages.items() if name in MADE and is_table(facts)}
    seconds = {name: float(facts.get("seconds", 0.0)) for name, facts in made.items() if facts.get("backend")}
    if mode not in MODES or not keyframes or not seconds:
        return None
    return Timing(mode=mode, keyframes=len(keyframes), seconds=seconds)


def read_timings(home: Home) -> list[Timing]:
    """Of every finished capture of this home, the latest first."""
    place = UPath(home.storage) / "metrics"
    captures = [path for path in place.iterdir() if (path / CURRENT).exists()] if place.exists() else []
    latest = sorted(captures, key=lambda path: -((path / CURRENT).stat().st_mtime or 0.0))
    found = (_read_timing(path) for path in latest[: LEARNED_FROM * len(MODES)])
    return [timing for timing in found if timing]


def _read_timing(place: UPath) -> Timing | None:
    """None also of what is replaced or removed meanwhile."""
    version = current_version(place)
    try:
        metrics: Any = json.loads((place / version / "metrics.json").read_bytes()) if version else None
    except (OSError, ValueError):
        return None
    return timing_of(metrics) if is_table(metrics) else None


def expected_seconds(mode: str, keyframes: int | None, history: Sequence[Timing]) -> dict[str, float]:
    """How long each stage should take in this mode; `keyframes` is None as long as nobody knows it."""
    ours = [timing for timing in history if timing.mode == mode][:LEARNED_FROM]
    count = keyframes or round(statistics.median([t.keyframes for t in ours] or [USUAL_KEYFRAMES[mode]]))
    ratio = _speed(history)
    return {stage: _learned(stage, count, ours) or ratio * _usual(stage, mode, count) for stage in MADE}


def _learned(stage: str, keyframes: int, timings: Iterable[Timing]) -> float | None:
    found = [
        timing.seconds[stage] * (keyframes / timing.keyframes) ** _GROWTH[stage]
        for timing in timings
        if stage in timing.seconds
    ]
    return statistics.median(found) if found else None


def _usual(stage: str, mode: str, keyframes: int) -> float:
    return _USUAL[mode][stage] * (keyframes / USUAL_KEYFRAMES[mode]) ** _GROWTH[stage]


def _speed(history: Sequence[Timing]) -> float:
    """How many times as long as the table says this machine takes."""
    ratios = [
        sum(timing.seconds.values())
        / sum(_usual(stage, timing.mode, timing.keyframes) for stage in timing.seconds)
        for timing in history[:LEARNED_FROM]
    ]
    return statistics.median(ratios) if ratios else 1.0


def mode_seconds(history: Sequence[Timing]) -> dict[str, float]:
    """How long a usual capture should take on this machine, by mode."""
    overhead = BETWEEN_S * len(MADE) + PUBLISHING_S
    return {mode: sum(expected_seconds(mode, None, history).values()) + overhead for mode in MODES}


def forecast(stages: Sequence[StageState], expected: Mapping[str, float]) -> Forecast:
    """How far these stages are as a whole, each weighing what it should take, and the seconds left.

    What is reused weighs nothing. Stages to come are expected to be as much slower or faster as those that
    ran; the running one is judged the more by its own pace the further it is.
    """
    made = [state for state in stages if state.state != "reused"]
    total = sum(expected[state.stage] for state in made)
    done = sum(expected[state.stage] * _done(state) for state in made)
    pace = _pace(made, expected)
    left = sum(_left(state, expected[state.stage] * pace) for state in made)
    return Forecast(fraction=done / total if total else 1.0, remaining_s=left + PUBLISHING_S)


def _done(state: StageState) -> float:
    return 1.0 if state.state == "done" else state.fraction if state.state == "running" else 0.0


def _pace(made: Sequence[StageState], expected: Mapping[str, float]) -> float:
    """How many times as long as expected this run takes so far."""
    trust = _TRUST * sum(expected[state.stage] for state in made)
    due = {state.stage: _due(state, expected[state.stage]) for state in made}
    spent = sum(state.seconds for state in made if due[state.stage])
    return (spent + trust) / (sum(due.values()) + trust) if trust else 1.0


def _due(state: StageState, expected_s: float) -> float:
    """How long what a stage has done should have taken; 0 as long as that says nothing."""
    if _done(state) > _EARLY:
        return expected_s * _done(state)
    # It has not come far, and all its time is over: that is slow, however far it is.
    return expected_s if state.state == "running" and state.seconds > expected_s else 0.0


def _left(state: StageState, expected_s: float) -> float:
    match state.state:
        case "done":
            return 0.0
        case "running":
            return _left_of_running(state, expected_s)
        case _:
            return expected_s + BETWEEN_S


def _left_of_running(state: StageState, expected_s: float) -> float:
    """A stage that takes longer than expected is not about to end for that."""
    by_expectation = max(expected_s - state.seconds, _OVERRUN * state.seconds)
    if state.fraction <= _EARLY:
        return by_expectation
    by_pace = state.seconds * (1 - state.fraction) / state.fraction
    return state.fraction * by_pace + (1 - state.fraction) * by_expectation
