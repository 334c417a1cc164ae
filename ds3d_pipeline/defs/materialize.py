"""From a retry policy to a rung: attempt n of an op runs rung n of those whose probe passed."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from pydantic import Field

from ds3d_pipeline.defs.checks import check_results, check_specs
from ds3d_pipeline.defs.climb import Climb, mark_cancelled, note_lost_attempt, refuse_after_cancel, summary
from ds3d_pipeline.defs.jobs import captures
from ds3d_pipeline.defs.metadata import attempts_table, describe
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.defs.programs import Places, run_rung
from ds3d_pipeline.defs.runs import mark_process
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.execution.freshness import fingerprint
from ds3d_pipeline.execution.memory import available_mb, fit_memory, read_load
from ds3d_pipeline.execution.progress import ProgressLog
from ds3d_pipeline.execution.validity import find_faults
from ds3d_pipeline.programs.folders import clear_folder, file_sha256
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.programs.runner import ProgramFailed, ProgramRun
from ds3d_pipeline.stages.code_versions import CODE_VERSIONS
from ds3d_pipeline.stages.plan import LADDERS, Plan, find_rung, plan_ladder
from ds3d_pipeline.storage.bundles import Attempt, Bundle, StageReport, link_file, link_tree, seal
from ds3d_pipeline.storage.home import prepare_home

_BUNDLE = dg.PythonObjectDagsterType(Bundle, name="StageBundle")


class StageConfig(dg.Config):
    """What every stage lets the user choose: empty fields follow the mode."""

    prefer: str | None = Field(default=None, description="Backend to try first; empty follows the ladder.")

    def apply(self, options: Any) -> Any:
        """The mode's options with the fields that were set here in their place."""
        known = {field.name for field in dataclasses.fields(options)}
        chosen = {k: v for k, v in self.model_dump().items() if v is not None and k in known}
        return dataclasses.replace(options, **chosen)


class RungFailed(Exception):
    """A rung did not make it; the ladder goes on."""


def ladder_policy(stage: str) -> dg.RetryPolicy | None:
    """One retry for every rung below the first."""
    rungs = len(LADDERS.get(stage, ()))
    return dg.RetryPolicy(max_retries=rungs - 1, delay=0) if rungs > 1 else None


def stage_asset(
    stage: str, *, kinds: set[str], pool: str = "heavy"
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """The decorator of every stage: a capture a partition, one heavy step at a time, retries by ladder."""
    return dg.asset(
        partitions_def=captures,
        group_name="reconstruction",
        code_version=CODE_VERSIONS[stage],
        retry_policy=ladder_policy(stage),
        pool=pool,
        kinds=kinds,
        check_specs=check_specs(stage),
        # Without it Dagster takes an asset with checks for one without a value.
        dagster_type=_BUNDLE,
    )


def materialize(
    context: dg.AssetExecutionContext,
    stage: str,
    config: StageConfig,
    mode: ModeResource,
    inputs: dict[str, Bundle],
    files: dict[str, Path] | None = None,
) -> dg.MaterializeResult:
    """Runs the rung that this attempt is due and returns its bundle, told in metadata.

    The program's input folder holds the files of all `inputs`, and `files` under the given names.
    """
    mark_process(context)
    options = config.apply(mode.resolve(context).options(stage))
    climb = Climb(context=context, stage=stage, options=options, prefer=config.prefer, home=prepare_home())
    try:
        return _climb(climb, inputs, files or {})
    except (KeyboardInterrupt, DagsterExecutionInterruptedError) as error:
        # A retry policy would take an interrupt for a failure and run the next rung.
        mark_cancelled(climb.work)
        raise dg.Failure("cancelled", allow_retries=False) from error


def _climb(climb: Climb, inputs: dict[str, Bundle], files: dict[str, Path]) -> dg.MaterializeResult:
    stage, options = climb.stage, climb.options
    refuse_after_cancel(climb)
    versions = {name: bundle.data_version for name, bundle in inputs.items()}
    versions |= {name: file_sha256(path) for name, path in files.items()}
    mark = fingerprint(stage, options, climb.prefer, versions)
    made = _run_due_rung(climb, inputs, files)
    report = StageReport(
        stage=stage,
        backend=made.rung,
        attempts=made.attempts,
        seconds=sum(a.seconds for a in made.attempts),
        peak_memory_mb=made.run.peak_memory_mb,
        fingerprint=mark,
        result=made.run.result,
        shortfall=find_rung(stage, made.rung).shortfall(options),
        faults=made.faults,
    )
    bundle = seal(made.output, report)
    return dg.MaterializeResult(
        value=bundle,
        data_version=dg.DataVersion(bundle.data_version),
        metadata=describe(bundle),
        check_results=check_results(report),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Made:
    """What a rung left in `output`. Only the last rung may have faults: the check of them stops the run."""

    output: Path
    rung: str
    run: ProgramRun
    faults: tuple[str, ...]
    attempts: tuple[Attempt, ...]


def _run_due_rung(climb: Climb, inputs: dict[str, Bundle], files: dict[str, Path]) -> _Made:
    plan = _due_plan(climb)
    number = climb.context.retry_number
    if number >= len(plan.rungs):
        raise dg.Failure(summary(climb), allow_retries=False)
    rung, is_last = plan.rungs[number], number + 1 >= len(plan.rungs)
    output = clear_folder(climb.folder / "output")
    input_dir = clear_folder(climb.folder / "input")
    for bundle in inputs.values():
        link_tree(bundle.folder, input_dir)
    for name, path in files.items():
        link_file(path, input_dir / name)
    try:
        run = _run_rung(climb, rung, input_dir, output)
    except ProgramFailed as error:
        _pass_on(climb, rung, error, is_last=is_last)
    _tidy(output, input_dir)
    return _judged(climb, rung, run, output, is_last=is_last)


def _judged(climb: Climb, rung: str, run: ProgramRun, output: Path, *, is_last: bool) -> _Made:
    """Files that are no good are a failed attempt, though the program thought otherwise."""
    faults = find_faults(climb.stage, output)
    outcome = "failed" if faults else "ok"
    attempts = climb.record(
        Attempt(backend=rung, outcome=outcome, reason=" ".join(faults), seconds=run.seconds)
    )
    if faults and not is_last:
        raise RungFailed(f"{climb.stage}: {rung} made files that are no good: {' '.join(faults)}")
    return _Made(output=output, rung=rung, run=run, faults=faults, attempts=attempts)


def _due_plan(climb: Climb) -> Plan:
    """Probed once per run, so that attempt n means the same rung whatever has changed since."""
    path = climb.folder / "plan.json"
    if climb.context.retry_number > 0 and path.exists():
        note_lost_attempt(climb)
        return read_json(path, Plan)
    clear_folder(climb.folder)
    try:
        plan = plan_ladder(climb.stage, climb.options, climb.prefer)
    except ValueError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    write_json(path, plan)
    write_json(climb.attempts_file, plan.passed_over)
    for attempt in plan.passed_over:
        climb.context.log.info(f"{climb.stage}: passed over {attempt.backend}: {attempt.reason}")
    return plan


def _run_rung(climb: Climb, rung: str, input_dir: Path, output: Path) -> ProgramRun:
    log = climb.context.log
    options_file = climb.folder / "options.json"
    write_json(options_file, _fitting_options(climb, rung, input_dir))
    climb.record(Attempt(backend=rung, outcome="started"))
    log.info(f"{climb.stage}: running {rung}")
    places = Places(input=input_dir, output=output, options_file=options_file, home=climb.home)
    ticker = ProgressLog(climb.folder, log.info)

    def tick() -> None:
        refuse_after_cancel(climb)
        ticker()

    return run_rung(
        climb.context,
        climb.stage,
        find_rung(climb.stage, rung),
        places,
        on_line=lambda line: log.debug(f"{rung}: {line}"),
        on_tick=tick,
    )


def _fitting_options(climb: Climb, rung: str, input_dir: Path) -> Any:
    """The options, made smaller where memory does not suffice; raises ProgramFailed where that is no help."""
    try:
        fit = fit_memory(climb.stage, rung, read_load(input_dir), climb.options, available_mb())
    except StageError as error:
        nothing = ProgramRun(result={}, seconds=0.0, peak_memory_mb=0.0)
        raise ProgramFailed("failed", str(error), log_tail="", exit_code=0, run=nothing) from error
    if fit.needed_mb is not None:
        climb.context.log.info(f"{climb.stage}: {rung} will need about {fit.needed_mb:.0f} MB of memory")
    if fit.note:
        climb.record(Attempt(backend=rung, outcome="clamped", reason=fit.note))
        climb.context.log.warning(fit.note)
    return fit.options


def _pass_on(climb: Climb, rung: str, error: ProgramFailed, *, is_last: bool) -> None:
    climb.record(Attempt(backend=rung, outcome=error.outcome, reason=error.reason, seconds=error.run.seconds))
    if is_last or error.outcome == "input":
        raise dg.Failure(
            summary(climb),
            metadata={"log": error.log_tail, "attempts": attempts_table(climb.attempts())},
            allow_retries=False,
        ) from error
    raise RungFailed(f"{climb.stage}: {rung} {error.outcome}: {error}") from error


def _tidy(output: Path, input_dir: Path) -> None:
    """The result lives on in the report; links to the input are needed no more."""
    shutil.rmtree(input_dir)
    for name in ("result.json", "progress.jsonl"):
        (output / name).unlink(missing_ok=True)
