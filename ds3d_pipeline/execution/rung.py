"""The programs of a rung, one after the other, each by the runner that it wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ds3d_pipeline.containers.cleanup import sweep
from ds3d_pipeline.containers.runner import Job
from ds3d_pipeline.execution.state import LadderState
from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.programs.runner import ProgramFailed, ProgramRun, run_program
from ds3d_pipeline.stages.table import STAGE_CARDS

Say = Callable[[str], None]
Tick = Callable[[], None]


class ChildRunner(Protocol):
    """`run_program`, or what keeps its contract."""

    def __call__(
        self, argv: tuple[str, ...], output: Path, *, log_path: Path, on_line: Say, on_tick: Tick
    ) -> ProgramRun:
        """Raises ProgramFailed, and whatever `on_tick` raises once the program has ended."""
        ...


class ContainerRunner(Protocol):
    """`run_container` with its `Execute`, or what keeps its contract."""

    def __call__(self, job: Job, *, on_line: Say, on_tick: Tick) -> ProgramRun:
        """Raises ProgramFailed, and whatever `on_tick` raises once the container is gone."""
        ...


@dataclass(frozen=True, kw_only=True)
class Runners:
    """What runs the programs of a rung on this machine."""

    container: ContainerRunner
    has_ended: Callable[[str], bool]
    """Whether the run with this id is over, so that containers of it are orphaned."""
    child: ChildRunner = run_program


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the programs of one attempt read and write."""

    input: Path
    output: Path
    options_file: Path


def run_rung(
    state: LadderState, rung: Rung, places: Places, runners: Runners, *, on_tick: Tick
) -> ProgramRun:
    """The time of all programs, the memory of the largest and the last one's result.

    Raises ProgramFailed for the first that fails and is not forgiven. Before that, orphaned containers are
    removed.
    """
    _sweep(state, runners)
    runs: list[ProgramRun] = []
    for number, program in enumerate(rung.programs):
        try:
            runs.append(_run(state, rung, number, places, runners, on_tick))
        except ProgramFailed as error:
            if program.box is None or not any(text in error.log_tail for text in program.box.forgives):
                raise
            state.log.warning(f"{state.stage}: {rung.name}: {error.reason} Going on with what there is.")
            runs.append(error.run)
    return ProgramRun(
        result=runs[-1].result,
        seconds=sum(run.seconds for run in runs),
        peak_memory_mb=max(run.peak_memory_mb for run in runs),
    )


def _sweep(state: LadderState, runners: Runners) -> None:
    if any(rung.is_boxed for rung in STAGE_CARDS[state.stage].rungs):
        count = sweep(state.home, runners.has_ended, run_id=state.run_id, step=state.stage)
        if count:
            state.log.warning(f"{state.stage}: removed {count} containers that a killed run left behind")


def _run(
    state: LadderState, rung: Rung, number: int, places: Places, runners: Runners, on_tick: Tick
) -> ProgramRun:
    program = rung.programs[number]
    argv = rung.argv(str(places.input), str(places.output), str(places.options_file), program)
    log_path = _log_path(state, rung, number)

    def on_line(line: str) -> None:
        state.log.debug(f"{rung.name}: {line}")

    if program.box is None:
        return runners.child(argv, places.output, log_path=log_path, on_line=on_line, on_tick=on_tick)
    job = Job(
        box=program.box,
        argv=argv,
        input=places.input,
        output=places.output,
        options_file=places.options_file,
        log_path=log_path,
        home=state.home,
        run_id=state.run_id,
        step=state.stage,
        attempt=state.attempt,
    )
    return runners.container(job, on_line=on_line, on_tick=on_tick)


def _log_path(state: LadderState, rung: Rung, number: int) -> Path:
    part = f".{number}" if len(rung.programs) > 1 else ""
    return state.home.logs / state.run_id / f"{state.stage}.{state.attempt}.{rung.name}{part}.log"
