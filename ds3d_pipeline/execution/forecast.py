"""How far a run is and how long it still takes: from the cost of each stage, this machine's past, and itself.

Every finished capture of the home corrects the costs, those of the same mode more than others; a run under
way corrects them by what it has shown. Time that passes with compiling is no measure of speed.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ds3d_pipeline.execution.costs import MADE, QUICK, Workload, longest_splat, time_passed, usual_seconds
from ds3d_pipeline.execution.history import Timing, usual_workload
from ds3d_pipeline.execution.progress import RunState, StageState
from ds3d_pipeline.names import MODES
from ds3d_pipeline.programs.options import options_with
from ds3d_pipeline.stages.modes import MODES as MODE_OPTIONS

StateT = TypeVar("StateT", bound=StageState)
LEARNED_FROM = 20
"""So many of the latest captures count."""
PUBLISHING_S = 3.0
"""From the last stage to the finished folder."""
BETWEEN_S = 1.5
"""From the end of a stage to the begin of the next."""
_TRUST = 0.15
"""How much of a whole run the expectation weighs against what this run has shown so far."""
_OVERRUN = 0.3
"""So much longer than until now does a stage take whose time is over."""
_EARLY = 0.02
"""A program that is no further says nothing about how long it will take."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """How far a run is (0 to 1), and how long it still takes."""

    fraction: float
    remaining_s: float


def expected_seconds(mode: str, work: Workload, history: Sequence[Timing]) -> dict[str, float]:
    """How long each stage should take: its cost, times how much longer than that it took here before."""
    usual = usual_seconds(work)
    found = {stage: usual[stage] * _slowness(stage, mode, history, work.cores) for stage in MADE}
    return found | {"splat": min(found["splat"], longest_splat(work))}


def _slowness(stage: str, mode: str, history: Sequence[Timing], cores: int) -> float:
    """The median over captures of the same mode that made this stage, else over whole runs of other modes."""
    same = [timing for timing in history if timing.mode == mode and stage in timing.seconds][:LEARNED_FROM]
    if same:
        usual = [_usual(timing, cores)[stage] for timing in same]
        return statistics.median(
            timing.seconds[stage] / cost for timing, cost in zip(same, usual, strict=True)
        )
    whole = [_whole_slowness(timing, cores) for timing in history[:LEARNED_FROM]]
    return statistics.median(whole) if whole else 1.0


def _whole_slowness(timing: Timing, cores: int) -> float:
    usual = _usual(timing, cores)
    return sum(timing.seconds.values()) / sum(usual[stage] for stage in timing.seconds)


def _usual(timing: Timing, cores: int) -> dict[str, float]:
    """What the stages of a finished capture should have taken, for as many steps as it trained."""
    mode = MODE_OPTIONS[timing.mode]
    steps = {"iterations": timing.steps, "max_seconds": 1e6} if timing.steps and mode.splat.train else {}
    options = vars(mode) | {"splat": options_with(mode.splat, steps, "splat")}
    return usual_seconds(
        Workload(
            photos=timing.photos,
            size_wh=timing.size_wh,
            frames=timing.frames,
            options=options,
            cores=cores,
        )
    )


def mode_seconds(history: Sequence[Timing]) -> dict[str, float]:
    """How long a usual capture should take on this machine, by mode."""
    return {mode: total_seconds(expected_seconds(mode, usual_workload(mode), history)) for mode in MODES}


def total_seconds(expected: Mapping[str, float]) -> float:
    """Of a whole run, with what passes between its stages and after them."""
    return sum(expected.values()) + BETWEEN_S * len(expected) + PUBLISHING_S


def run_state(stages: Sequence[StageState], expected: Mapping[str, float]) -> RunState:
    """The stages of a run, each with the time that it still takes, and the run as a whole."""
    outlook = forecast(stages, expected)
    return RunState(
        stages=tuple(with_time_left(stages, expected)),
        fraction=outlook.fraction,
        remaining_s=outlook.remaining_s,
    )


def with_time_left(stages: Sequence[StateT], expected: Mapping[str, float]) -> list[StateT]:
    """The same stages; the running one with the time that it still takes."""
    pace = _pace(_made(stages), expected)
    return [
        replace(state, remaining_s=_left(state, expected[state.stage] * pace))
        if state.state == "running"
        else state
        for state in stages
    ]


def _made(stages: Sequence[StageState]) -> list[StageState]:
    return [state for state in stages if state.state != "reused"]


def forecast(stages: Sequence[StageState], expected: Mapping[str, float]) -> Forecast:
    """How far these stages are as a whole, each weighing what it should take, and the seconds left.

    What is reused weighs nothing. Stages to come are expected to be as much slower or faster as those that
    ran; the running one is judged the more by its own pace the further it is.
    """
    made = _made(stages)
    total = sum(expected[state.stage] for state in made)
    done = sum(expected[state.stage] * _done(state) for state in made)
    pace = _pace(made, expected)
    left = sum(_left(state, expected[state.stage] * pace) for state in made)
    return Forecast(fraction=done / total if total else 1.0, remaining_s=left + PUBLISHING_S)


def _done(state: StageState) -> float:
    if state.state == "running":
        return time_passed(state.stage, state.fraction)
    return 1.0 if state.state == "done" else 0.0


def _pace(made: Sequence[StageState], expected: Mapping[str, float]) -> float:
    """How many times as long as expected this run takes so far."""
    trust = _TRUST * sum(expected[state.stage] for state in made)
    due = {state.stage: _due(state, expected[state.stage]) for state in made}
    spent = sum(state.worked_s for state in made if due[state.stage])
    return (spent + trust) / (sum(due.values()) + trust) if trust else 1.0


def _due(state: StageState, expected_s: float) -> float:
    """How long what a stage has done should have taken; 0 as long as that says nothing."""
    if _done(state) > _EARLY:
        return expected_s * _done(state)
    # It has not come far, and all its time is over: that is slow, however far it is.
    return expected_s if state.state == "running" and state.worked_s > expected_s else 0.0


def _left(state: StageState, expected_s: float) -> float:
    match state.state:
        case "done":
            return 0.0
        case "running":
            return _left_of_running(state, expected_s)
        case _:
            return expected_s + BETWEEN_S


def _left_of_running(state: StageState, usual_s: float) -> float:
    """A stage that takes longer than expected is not about to end for that."""
    expected_s = min(usual_s, QUICK.get(state.backend, usual_s))
    by_expectation = max(expected_s - state.worked_s, _OVERRUN * state.worked_s)
    first, latest = state.first, state.latest
    if first is None or latest is None:
        return by_expectation
    done, before = _done(state), time_passed(state.stage, first.fraction)
    if done - before <= _EARLY:
        return by_expectation
    # Judged when it was last heard: a program may say nothing for long, and is not slow for that.
    then_s = (latest.worked_s - first.worked_s) * (1 - done) / (done - before)
    by_pace = max(then_s - (state.worked_s - latest.worked_s), _OVERRUN * then_s)
    trust = (done - before) ** 0.3
    return trust * by_pace + (1 - trust) * by_expectation
