"""From a retry policy to a rung: attempt n of an op runs rung n of those whose probe passed."""

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from pydantic import Field

from ds3d_pipeline.backends import LADDERS, Plan, find_rung, plan_ladder
from ds3d_pipeline.bundles import Attempt, Bundle, StageReport, file_sha256, link_file, link_tree, seal
from ds3d_pipeline.defs.metadata import describe
from ds3d_pipeline.defs.partitions import captures
from ds3d_pipeline.defs.programs import Places, run_rung
from ds3d_pipeline.defs.resources import ModeResource
from ds3d_pipeline.home import Home, prepare_home
from ds3d_pipeline.records import read_json, write_json
from ds3d_pipeline.runners import ProgramFailed, ProgramRun, clear_folder

CODE_VERSION = "1"
LOG_EVERY_S = 10.0


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


def stage_asset(stage: str, *, kinds: set[str]) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """The decorator of every stage: a capture a partition, one heavy step at a time, retries by ladder."""
    return dg.asset(
        partitions_def=captures,
        group_name="reconstruction",
        code_version=CODE_VERSION,
        retry_policy=ladder_policy(stage),
        pool="heavy",
        kinds=kinds,
    )


def fingerprint(stage: str, options: Any, prefer: str | None, inputs: dict[str, str]) -> str:
    """Hash of all that a stage's files depend on: code version, options and the data versions read."""
    facts = [stage, CODE_VERSION, dataclasses.asdict(options), prefer, inputs]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Climb:
    """One op's climb: its folders survive from attempt to attempt of a run."""

    context: dg.AssetExecutionContext
    stage: str
    options: Any
    prefer: str | None
    home: Home

    @property
    def work(self) -> Path:
        return self.home.work / self.context.run.run_id

    @property
    def folder(self) -> Path:
        return self.work / self.stage

    @property
    def attempts_file(self) -> Path:
        return self.folder / "attempts.json"

    def attempts(self) -> tuple[Attempt, ...]:
        return read_json(self.attempts_file, tuple[Attempt, ...]) if self.attempts_file.exists() else ()

    def record(self, attempt: Attempt) -> tuple[Attempt, ...]:
        kept = tuple(a for a in self.attempts() if a.outcome != "started")
        write_json(self.attempts_file, (*kept, attempt))
        return (*kept, attempt)


def materialize(
    context: dg.AssetExecutionContext,
    stage: str,
    config: StageConfig,
    mode: ModeResource,
    inputs: dict[str, Bundle],
    files: dict[str, Path] | None = None,
) -> dg.Output[Bundle]:
    """Runs the rung that this attempt is due and returns its bundle, told in metadata.

    The program's input folder holds the files of all `inputs`, and `files` under the given names.
    """
    options = config.apply(mode.resolve(context).options(stage))
    climb = Climb(context=context, stage=stage, options=options, prefer=config.prefer, home=prepare_home())
    try:
        return _climb(climb, inputs, files or {})
    except (KeyboardInterrupt, DagsterExecutionInterruptedError) as error:
        # A retry policy would take an interrupt for a failure and run the next rung.
        mark_cancelled(climb.work)
        raise dg.Failure("cancelled", allow_retries=False) from error


def _climb(climb: Climb, inputs: dict[str, Bundle], files: dict[str, Path]) -> dg.Output[Bundle]:
    stage, options = climb.stage, climb.options
    _refuse_after_cancel(climb)
    versions = {name: bundle.data_version for name, bundle in inputs.items()}
    versions |= {name: file_sha256(path) for name, path in files.items()}
    mark = fingerprint(stage, options, climb.prefer, versions)
    output, rung, run = _run_due_rung(climb, inputs, files)
    attempts = climb.record(Attempt(backend=rung, outcome="ok", seconds=run.seconds))
    report = StageReport(
        stage=stage,
        backend=rung,
        attempts=attempts,
        seconds=sum(a.seconds for a in attempts),
        peak_memory_mb=run.peak_memory_mb,
        fingerprint=mark,
        result=run.result,
        shortfall=find_rung(stage, rung).shortfall(options),
    )
    bundle = seal(output, report)
    metadata = describe(bundle)
    return dg.Output(bundle, data_version=dg.DataVersion(bundle.data_version), metadata=metadata)


def mark_cancelled(work: Path) -> None:
    """Tells every stage of the run with this work folder to stop."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "cancelled").touch()


def is_cancelled(work: Path) -> bool:
    """Whether the run with this work folder was told to stop."""
    return (work / "cancelled").exists()


def _refuse_after_cancel(climb: Climb) -> None:
    if is_cancelled(climb.work):
        raise KeyboardInterrupt


def _run_due_rung(
    climb: Climb, inputs: dict[str, Bundle], files: dict[str, Path]
) -> tuple[Path, str, ProgramRun]:
    plan = _due_plan(climb)
    number = climb.context.retry_number
    if number >= len(plan.rungs):
        raise dg.Failure(_summary(climb), allow_retries=False)
    rung = plan.rungs[number]
    output = clear_folder(climb.folder / "output")
    input_dir = clear_folder(climb.folder / "input")
    for bundle in inputs.values():
        link_tree(bundle.folder, input_dir)
    for name, path in files.items():
        link_file(path, input_dir / name)
    try:
        run = _run_rung(climb, rung, input_dir, output)
    except ProgramFailed as error:
        _pass_on(climb, rung, error, is_last=number + 1 >= len(plan.rungs))
    _tidy(output, input_dir)
    return output, rung, run


def _due_plan(climb: Climb) -> Plan:
    """Probed once per run, so that attempt n means the same rung whatever has changed since."""
    path = climb.folder / "plan.json"
    if climb.context.retry_number > 0 and path.exists():
        _note_lost_attempt(climb)
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


def _note_lost_attempt(climb: Climb) -> None:
    """An attempt that left only its start was killed together with the process that watched it."""
    for attempt in climb.attempts():
        if attempt.outcome == "started":
            lost = dataclasses.replace(
                attempt, outcome="crashed", reason="The step's own process was killed."
            )
            climb.record(lost)


def _run_rung(climb: Climb, rung: str, input_dir: Path, output: Path) -> ProgramRun:
    log = climb.context.log
    options_file = climb.folder / "options.json"
    write_json(options_file, climb.options)
    climb.record(Attempt(backend=rung, outcome="started"))
    log.info(f"{climb.stage}: running {rung}")
    places = Places(input=input_dir, output=output, options_file=options_file, home=climb.home)
    ticker = _ProgressLog(climb, output / "progress.jsonl")

    def tick() -> None:
        _refuse_after_cancel(climb)
        ticker()

    return run_rung(
        climb.context,
        climb.stage,
        find_rung(climb.stage, rung),
        places,
        on_line=lambda line: log.debug(f"{rung}: {line}"),
        on_tick=tick,
    )


def _pass_on(climb: Climb, rung: str, error: ProgramFailed, *, is_last: bool) -> None:
    climb.record(Attempt(backend=rung, outcome=error.outcome, reason=error.reason, seconds=error.run.seconds))
    if is_last or error.outcome == "input":
        raise dg.Failure(
            _summary(climb), metadata={"log": error.log_tail, "attempts": _table(climb)}, allow_retries=False
        ) from error
    raise RungFailed(f"{climb.stage}: {rung} {error.outcome}: {error}") from error


def _summary(climb: Climb) -> str:
    tried = [f"{a.backend} {a.outcome}: {a.reason}" for a in climb.attempts()]
    return tried[0] if len(tried) == 1 else f"No backend of {climb.stage} made it. " + " | ".join(tried)


def _table(climb: Climb) -> str:
    return "\n".join(f"{a.backend}: {a.outcome} {a.reason}" for a in climb.attempts())


def _tidy(output: Path, input_dir: Path) -> None:
    """The result lives on in the report; links to the input are needed no more."""
    shutil.rmtree(input_dir)
    for name in ("result.json", "progress.jsonl"):
        (output / name).unlink(missing_ok=True)


class _ProgressLog:
    """A log line at least every ten seconds, from the program's own progress."""

    def __init__(self, climb: Climb, path: Path) -> None:
        self._climb = climb
        self._path = path
        self._next = time.monotonic() + LOG_EVERY_S

    def __call__(self) -> None:
        if time.monotonic() < self._next or not self._path.exists():
            return
        self._next = time.monotonic() + LOG_EVERY_S
        lines = self._path.read_text(encoding="utf-8").splitlines()
        if lines:
            line = json.loads(lines[-1])
            self._climb.context.log.info(f"{self._climb.stage}: {line['fraction']:.0%} {line['message']}")
