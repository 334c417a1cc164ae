"""A run asked for at the command line or in Python: on the persistent instance, heavy work in children."""

import contextlib
import dataclasses
import functools
import shutil
import signal
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

import dagster as dg

from ds3d_pipeline.defs.asked import asked_for
from ds3d_pipeline.defs.executors import patient_claims
from ds3d_pipeline.defs.instance import open_instance
from ds3d_pipeline.defs.jobs import captures
from ds3d_pipeline.defs.launch import launch_of
from ds3d_pipeline.defs.origin import give_origin
from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG, STATUS_TAG, errors_by_stage
from ds3d_pipeline.defs.waiting import await_others, turn
from ds3d_pipeline.execution.failed_run import publish_failed_run
from ds3d_pipeline.execution.forecast import expected_seconds, run_state
from ds3d_pipeline.execution.freshness import Stored, find_fresh
from ds3d_pipeline.execution.history import read_timings, workload_of
from ds3d_pipeline.execution.journal import Journal, run_journal
from ds3d_pipeline.execution.progress import Display, Reader, RunState, StageState, stage_state
from ds3d_pipeline.intake.disk_space import check_space
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.metrics.record import Metrics, read_metrics
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.library_errors import library_errors_in
from ds3d_pipeline.stages.table import depending_on
from ds3d_pipeline.storage.home import Home, prepare_home
from ds3d_pipeline.storage.ownership import check_output
from ds3d_pipeline.storage.registrations import registered_request

MAX_RETRIES_TAG = "dagster/max_retries"
STOP_GRACE_S = 4.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """How a run ended that nobody cancelled."""

    metrics: Metrics
    folder: Path
    """Where its files are."""


def reconstruct(
    request: RunRequest, display: Display, find_job: Callable[[str], dg.JobDefinition]
) -> RunOutcome:
    """Makes what is stale of an accepted capture and publishes its files; `find_job` knows jobs by name.

    Raises InputError where that cannot begin, and KeyboardInterrupt where it is cancelled.
    """
    home, capture = prepare_home(), request.capture
    options, registered = request.all_options(), registered_request(home, capture)
    check_output(request.output, capture, registered.paths if registered else ())
    with (
        _interruptible(),
        asked_for(home, request, display) as onlooker,
        turn(home, capture, onlooker),
        open_instance(home) as instance,
    ):
        await_others(instance, home, onlooker)
        instance.add_dynamic_partitions(captures.name or "", [capture])
        fresh = _reusable(find_fresh(home, capture, options, request.prefer), request.start)
        if registered and "depth_maps" not in fresh:
            check_space(home, request.output, registered, options)
        run_id = str(uuid.uuid4())
        try:
            journal = run_journal(home, run_id)
            for stage, stored in fresh.items():
                journal.use(stage, stored.version)
            with journal.beating(), display.following(_reader(home, request, journal, fresh)):
                _beside(lambda: _execute(instance, run_id, request, fresh, find_job), journal, onlooker.look)
            outcome = _conclude(instance, home, run_id, request, display)
        except BaseException:
            # Where this fails, on a full disk for instance, the heartbeat stays: by it the next command sees
            # that the run is gone, and frees its places.
            _report_cancelled(instance, run_id)
            shutil.rmtree(home.work / run_id, ignore_errors=True)
            raise
        shutil.rmtree(home.work / run_id, ignore_errors=True)
        return outcome


def _reusable(fresh: Mapping[str, Stored], start: str | None) -> dict[str, Stored]:
    again = depending_on(start) if start else frozenset()
    return {stage: stored for stage, stored in fresh.items() if stage not in again}


def _beside(body: Callable[[], None], journal: Journal, look: Callable[[], None]) -> None:
    """Runs `body` beside the thread that asked for it; signals reach the main thread alone.

    So no library on the way can take Ctrl-C for a failure that wants a retry: it becomes a mark in the
    journal that every stage looks at while its program runs. What `look` raises cancels the run, too. Raises
    what either raised.
    """
    raised: list[BaseException] = []
    # Not Thread.join: an interrupt inside it leaves the thread marked as ended while it still runs.
    done = threading.Event()

    def guarded() -> None:
        try:
            body()
        except BaseException as error:
            raised.append(error)
        finally:
            done.set()

    threading.Thread(target=guarded, name="run", daemon=True).start()
    try:
        while not done.wait(0.1):
            look()
    except BaseException:
        journal.cancel()
        done.wait(STOP_GRACE_S)
        raise
    if raised:
        raise raised[0]


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does; only the main thread of a process can see to that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _execute(
    instance: dg.DagsterInstance,
    run_id: str,
    request: RunRequest,
    fresh: Mapping[str, Stored],
    find_job: Callable[[str], dg.JobDefinition],
) -> None:
    warnings.simplefilter("ignore", dg.BetaWarning)
    stages = [stage for stage in STAGES if stage not in fresh]
    launch = launch_of(request, stages, {stage: stored.version for stage, stored in fresh.items()})
    job, home = find_job(launch.job_name), prepare_home()
    patient = patient_claims(lambda: _refuse_after_cancel(run_journal(home, run_id)))
    give_origin(instance, launch.job_name)
    # Dagster prints the statements of its database that failed.
    with library_errors_in(home.logs / "errors"), patient:
        job.execute_in_process(
            # The display shows what happens; everything is in the instance.
            run_config=launch.run_config | {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=instance,
            partition_key=request.capture,
            # Who started it here starts it again; a daemon that happens to run must not.
            tags=launch.tags | {COMMAND_LINE_TAG: run_id, MAX_RETRIES_TAG: "0"},
            asset_selection=[dg.AssetKey(stage) for stage in stages],
            raise_on_error=False,
            run_id=run_id,
        )


def _refuse_after_cancel(journal: Journal) -> None:
    if journal.is_cancelled():
        raise KeyboardInterrupt


def _reader(home: Home, request: RunRequest, journal: Journal, fresh: Mapping[str, Stored]) -> Reader:
    """Reads how far the run is; what it should take is known better once its keyframes are chosen."""
    history, options = read_timings(home), request.all_options()
    capture, mode = request.capture, request.mode

    @functools.cache
    def expected(has_keyframes: bool) -> dict[str, float]:
        work = workload_of(home, capture, mode, options, has_keyframes=has_keyframes)
        return expected_seconds(mode, work, history)

    def read() -> RunState:
        stages = _read_states(journal, fresh)
        chosen = next(state for state in stages if state.stage == "keyframes")
        return run_state(stages, expected(chosen.state in ("done", "reused")))

    return read


def _read_states(journal: Journal, fresh: Mapping[str, Stored]) -> list[StageState]:
    return [
        StageState(stage=stage, state="reused", backend=fresh[stage].report.backend)
        if stage in fresh
        else stage_state(journal, stage)
        for stage in STAGES[:-1]
    ]


def _conclude(
    instance: dg.DagsterInstance, home: Home, run_id: str, request: RunRequest, display: Display
) -> RunOutcome:
    journal = run_journal(home, run_id)
    if journal.is_cancelled():
        raise KeyboardInterrupt
    content, folder = journal.finished(), request.output / request.capture
    if content is None or _was_not_stored(journal):
        content, folder = publish_failed_run(home, run_id, request, errors_by_stage(instance, run_id))
        instance.add_run_tags(run_id, {STATUS_TAG: content["status"]})
    metrics = read_metrics(content)
    display.finish(metrics, str(folder))
    return RunOutcome(metrics=metrics, folder=folder)


def _was_not_stored(journal: Journal) -> bool:
    """Whether the files are published, and what the home has to remember of them could not be written."""
    return any(attempt.outcome is Outcome.FAILED for attempt in journal.attempts("metrics"))


def _report_cancelled(instance: dg.DagsterInstance, run_id: str) -> None:
    run = instance.get_run_by_id(run_id)
    # Dagster calls a run failed whose step stopped because it was cancelled.
    if run is not None and (not run.is_finished or run.status == dg.DagsterRunStatus.FAILURE):
        instance.report_run_canceled(run)
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)
