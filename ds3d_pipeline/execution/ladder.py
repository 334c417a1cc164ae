"""From the number of an attempt to a rung: attempt n runs rung n of those whose probe passed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.execution.freshness import fingerprint
from ds3d_pipeline.execution.journal import note_lost_attempt
from ds3d_pipeline.execution.memory import available_mb, fit_memory, read_load
from ds3d_pipeline.execution.progress import ProgressLog
from ds3d_pipeline.execution.rung import Places, Runners, run_rung
from ds3d_pipeline.execution.state import LadderExhausted, LadderState, RungFailed, summary
from ds3d_pipeline.execution.validity import find_faults
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.folders import clear_folder, file_sha256
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.programs.runner import ProgramFailed, ProgramRun
from ds3d_pipeline.stages.plan import Plan, plan_ladder
from ds3d_pipeline.stages.table import find_rung
from ds3d_pipeline.storage.bundles import Attempt, Bundle, StageReport, link_file, link_tree, seal

FindPlan = Callable[[str, Any, str | None], Plan]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a stage reads: the files of all `bundles`, by stage, and `files` under the names given here."""

    bundles: Mapping[str, Bundle] = field(default_factory=dict[str, Bundle])
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    file_versions: Mapping[str, str] | None = None
    """What represents the content of `files`; None for the hash of each."""

    def versions(self) -> dict[str, str]:
        """The content of each, as a hash."""
        found = {name: bundle.data_version for name, bundle in self.bundles.items()}
        if self.file_versions is not None:
            return found | dict(self.file_versions)
        return found | {name: file_sha256(path) for name, path in self.files.items()}

    def link_into(self, folder: Path) -> Path:
        """Lays all files into `folder`, which is emptied first, and returns it."""
        clear_folder(folder)
        for bundle in self.bundles.values():
            link_tree(bundle.folder, folder)
        for name, path in self.files.items():
            link_file(path, folder / name)
        return folder


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a rung left in `output`. Only the last rung may have faults: the check of them stops the run."""

    output: Path
    rung: str
    run: ProgramRun
    faults: tuple[str, ...]
    attempts: tuple[Attempt, ...]


def make_bundle(
    state: LadderState, inputs: Inputs, runners: Runners, find_plan: FindPlan = plan_ladder
) -> Bundle:
    """Runs the due rung and seals what it made; raises as `run_due_rung` does."""
    mark = fingerprint(state.stage, state.options, state.prefer, inputs.versions())
    made = run_due_rung(state, inputs, runners, find_plan)
    report = StageReport(
        stage=state.stage,
        backend=made.rung,
        attempts=made.attempts,
        seconds=sum(attempt.seconds for attempt in made.attempts),
        peak_memory_mb=made.run.peak_memory_mb,
        fingerprint=mark,
        result=made.run.result,
        shortfall=find_rung(state.stage, made.rung).shortfall(state.options),
        faults=made.faults,
    )
    return seal(made.output, report)


def run_due_rung(
    state: LadderState, inputs: Inputs, runners: Runners, find_plan: FindPlan = plan_ladder
) -> Made:
    """Runs the rung that this attempt is due.

    Raises RungFailed where another attempt may help, LadderExhausted where none can, and Cancelled where the
    run was asked to stop.
    """
    state.refuse_after_cancel()
    plan = _due_plan(state, find_plan)
    if state.attempt >= len(plan.rungs):
        attempts = state.journal.attempts(state.stage)
        raise LadderExhausted(summary(state.stage, attempts), attempts)
    rung, is_last = plan.rungs[state.attempt], state.attempt + 1 >= len(plan.rungs)
    output = clear_folder(state.folder / "output")
    input_dir = inputs.link_into(state.folder / "input")
    try:
        run = _run_rung(state, rung, input_dir, output, runners)
    except ProgramFailed as error:
        _pass_on(state, rung, error, is_last=is_last)
    made = _judged(state, rung, run, output, is_last=is_last)
    # Not before: who watches the run would see it fall back to its beginning while the files are checked.
    _tidy(output, input_dir)
    return made


def _judged(state: LadderState, rung: str, run: ProgramRun, output: Path, *, is_last: bool) -> Made:
    """Files that are no good are a failed attempt, though the program thought otherwise."""
    faults = find_faults(state.stage, output)
    outcome = Outcome.FAILED if faults else Outcome.OK
    compiled_s = state.journal.reached(state.stage).compiled_s
    attempts = state.record(
        Attempt(
            backend=rung,
            outcome=outcome,
            reason=" ".join(faults),
            seconds=run.seconds,
            compile_seconds=compiled_s,
        )
    )
    if faults and not is_last:
        raise RungFailed(f"{state.stage}: {rung} made files that are no good: {' '.join(faults)}")
    return Made(output=output, rung=rung, run=run, faults=faults, attempts=attempts)


def _due_plan(state: LadderState, find_plan: FindPlan) -> Plan:
    """Probed once per run, so that attempt n means the same rung whatever has changed since."""
    known = state.journal.plan(state.stage) if state.attempt > 0 else None
    if known is not None:
        note_lost_attempt(state.journal, state.stage)
        return known
    clear_folder(state.folder)
    try:
        plan = find_plan(state.stage, state.options, state.prefer)
    except ValueError as error:
        raise LadderExhausted(str(error)) from error
    state.journal.begin(state.stage, plan)
    for attempt in plan.skipped:
        state.log.info(f"{state.stage}: skipped {attempt.backend}: {attempt.reason}")
    return plan


def _run_rung(state: LadderState, rung: str, input_dir: Path, output: Path, runners: Runners) -> ProgramRun:
    options_file = state.folder / "options.json"
    write_json(options_file, _fitting_options(state, rung, input_dir))
    state.record(Attempt(backend=rung, outcome=Outcome.STARTED))
    state.log.info(f"{state.stage}: running {rung}")
    places = Places(input=input_dir, output=output, options_file=options_file)
    log_progress = ProgressLog(state.journal, state.stage, state.log.info)

    def tick() -> None:
        state.refuse_after_cancel()
        log_progress()

    return run_rung(state, find_rung(state.stage, rung), places, runners, on_tick=tick)


def _fitting_options(state: LadderState, rung: str, input_dir: Path) -> Any:
    """The options, made smaller where memory does not suffice; raises ProgramFailed where that is no help."""
    try:
        fit = fit_memory(state.stage, rung, read_load(input_dir), state.options, available_mb())
    except StageError as error:
        nothing = ProgramRun(result={}, seconds=0.0, peak_memory_mb=0.0)
        raise ProgramFailed(Outcome.FAILED, str(error), log_tail="", exit_code=0, run=nothing) from error
    if fit.needed_mb is not None:
        state.log.info(f"{state.stage}: {rung} will need about {fit.needed_mb:.0f} MB of memory")
    if fit.note:
        state.record(Attempt(backend=rung, outcome=Outcome.CLAMPED, reason=fit.note))
        state.log.warning(fit.note)
    return fit.options


def _pass_on(state: LadderState, rung: str, error: ProgramFailed, *, is_last: bool) -> NoReturn:
    attempts = state.record(
        Attempt(backend=rung, outcome=error.outcome, reason=error.reason, seconds=error.run.seconds)
    )
    if is_last or error.outcome == Outcome.INPUT:
        raise LadderExhausted(summary(state.stage, attempts), attempts, error.log_tail) from error
    raise RungFailed(f"{state.stage}: {rung} {error.outcome}: {error}") from error


def _tidy(output: Path, input_dir: Path) -> None:
    """The result lives on in the report; links to the input are needed no more."""
    shutil.rmtree(input_dir)
    for name in ("result.json", "progress.jsonl"):
        (output / name).unlink(missing_ok=True)
