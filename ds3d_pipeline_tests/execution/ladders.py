"""A ladder of the real rungs of `depth_maps`, run by a runner that needs no process."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ds3d_pipeline.containers.runner import Job
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.execution.ladder import Inputs, Made, run_due_rung
from ds3d_pipeline.execution.rung import Runners
from ds3d_pipeline.execution.state import LadderState
from ds3d_pipeline.formats.colmap import write_array
from ds3d_pipeline.programs.runner import ProgramFailed, ProgramRun
from ds3d_pipeline.stages.plan import Plan
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline.storage.home import Home

STAGE, RUN = "depth_maps", "one"
RUNGS = ("patchmatch", "interpolation", "card")

Body = Callable[[Path, Callable[[], None]], None]
"""Takes the output folder and the tick; what a program does."""


def works(output: Path, tick: Callable[[], None]) -> None:
    write_array(output / "depth" / "a.jpg.bin", np.ones((2, 2), np.float32))


def half_done(output: Path, tick: Callable[[], None]) -> None:
    works(output, tick)
    (output / "depth" / "b.jpg.bin").write_bytes(b"9&9&1&")


def fails(outcome: str, reason: str) -> Body:
    def body(output: Path, tick: Callable[[], None]) -> None:
        run = ProgramRun(result={}, seconds=2.0, peak_memory_mb=10.0)
        raise ProgramFailed(outcome, reason, log_tail=f"log: {reason}", exit_code=1, run=run)

    return body


@dataclass
class InProcess:
    """The contract of `run_program`, kept by calling the body of the backend that is asked for."""

    bodies: dict[str, Body]
    ran: list[str] = field(default_factory=list)
    argv: tuple[str, ...] = ()

    def __call__(self, argv, output, *, log_path, on_line, on_tick) -> ProgramRun:
        self.argv = argv
        backend = argv[argv.index("--backend") + 1]
        self.ran.append(backend)
        on_tick()
        self.bodies[backend](output, on_tick)
        return ProgramRun(result={"by": backend}, seconds=1.0, peak_memory_mb=5.0)


def no_container(job: Job, *, on_line, on_tick) -> ProgramRun:
    raise AssertionError(f"{job.argv} has no container")


@dataclass
class Ladder:
    """One run of the stage, attempt after attempt, as Dagster would ask for them."""

    home: Home
    bodies: dict[str, Body]
    rungs: tuple[str, ...] = RUNGS
    skipped: tuple[Attempt, ...] = ()
    options: Any = field(default_factory=DepthOptions)

    def __post_init__(self) -> None:
        self.program = InProcess(self.bodies)
        self.journal = run_journal(self.home, RUN)
        self.runners = Runners(container=no_container, has_ended=lambda run_id: False, child=self.program)

    def find_plan(self, stage: str, options: Any, prefer: str | None) -> Plan:
        return Plan(rungs=self.rungs, skipped=self.skipped)

    def state(self, attempt: int) -> LadderState:
        return LadderState(
            home=self.home,
            journal=self.journal,
            run_id=RUN,
            stage=STAGE,
            attempt=attempt,
            options=self.options,
            prefer=None,
            log=logging.getLogger("ladder"),
        )

    def run_ladder(self, attempt: int, inputs: Inputs | None = None) -> Made:
        return run_due_rung(self.state(attempt), inputs or Inputs(), self.runners, self.find_plan)

    def outcomes(self) -> list[tuple[str, str]]:
        return [(attempt.backend, attempt.outcome) for attempt in self.journal.attempts(STAGE)]
