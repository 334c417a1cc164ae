"""The programs of a rung, one after the other, each by the runner that it wants."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from ds3d_pipeline.defs.containers import Job, run_container
from ds3d_pipeline.defs.strays import sweep
from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.programs.runner import ProgramFailed, ProgramRun, run_program
from ds3d_pipeline.stages.plan import LADDERS
from ds3d_pipeline.storage.home import Home

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the programs of one attempt read and write."""

    input: Path
    output: Path
    options_file: Path
    home: Home


def run_rung(
    context: dg.AssetExecutionContext,
    stage: str,
    rung: Rung,
    places: Places,
    *,
    on_line: Say,
    on_tick: Callable[[], None],
) -> ProgramRun:
    """Tells the time of all programs, the memory of the largest and the last one's result.

    Raises ProgramFailed for the first that fails and is not forgiven. Before that, containers that a killed
    run left behind are removed.
    """
    _sweep(context, stage, places.home)
    runs: list[ProgramRun] = []
    for number, program in enumerate(rung.programs):
        try:
            runs.append(_run(context, stage, rung, number, places, on_line, on_tick))
        except ProgramFailed as error:
            if program.box is None or not any(text in error.log_tail for text in program.box.forgives):
                raise
            context.log.warning(f"{stage}: {rung.name}: {error.reason} Going on with what there is.")
            runs.append(error.run)
    return ProgramRun(
        result=runs[-1].result,
        seconds=sum(run.seconds for run in runs),
        peak_memory_mb=max(run.peak_memory_mb for run in runs),
    )


def _sweep(context: dg.AssetExecutionContext, stage: str, home: Home) -> None:
    if any(rung.is_boxed for rung in LADDERS[stage]):
        count = sweep(context.instance, home, run_id=context.run.run_id, step=stage)
        if count:
            context.log.warning(f"{stage}: removed {count} containers that a killed run left behind")


def _run(
    context: dg.AssetExecutionContext,
    stage: str,
    rung: Rung,
    number: int,
    places: Places,
    on_line: Say,
    on_tick: Callable[[], None],
) -> ProgramRun:
    program, run_id, attempt = rung.programs[number], context.run.run_id, context.retry_number
    argv = rung.argv(str(places.input), str(places.output), str(places.options_file), program)
    part = f".{number}" if len(rung.programs) > 1 else ""
    log_path = places.home.logs / run_id / f"{stage}.{attempt}.{rung.name}{part}.log"
    if program.box is None:
        return run_program(argv, places.output, log_path=log_path, on_line=on_line, on_tick=on_tick)
    job = Job(
        box=program.box,
        argv=argv,
        input=places.input,
        output=places.output,
        options_file=places.options_file,
        log_path=log_path,
        home=places.home,
        run_id=run_id,
        step=stage,
        attempt=attempt,
    )
    return run_container(context.op_execution_context, job, on_line=on_line, on_tick=on_tick)
