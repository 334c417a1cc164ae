"""The jobs of a home: what each is doing, and what can be done with it. One job is one capture."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Sequence

import dagster as dg
from dagster._core.errors import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError
from dagster._core.storage.tags import RUN_KEY_TAG, WILL_RETRY_TAG

from ds3d_pipeline.defs.asked import stop_waiting
from ds3d_pipeline.defs.deleting import delete_capture
from ds3d_pipeline.defs.instance import open_instance
from ds3d_pipeline.defs.launch import request_of
from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG, PARTITION_TAG, UNFINISHED
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.execution.forecast import mode_seconds
from ds3d_pipeline.execution.history import Timing, read_timings
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.intake.orders import Order, drop_order, order_of, orders, place_order
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.storage.home import Home, outputs_folder
from ds3d_pipeline.storage.inventory import capture_names
from ds3d_pipeline.web.daemons import DaemonWatch
from ds3d_pipeline.web.gather import Outside, gather, is_job, registered_at
from ds3d_pipeline.web.kept import Kept
from ds3d_pipeline.web.preview import drop_previews
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.received import drop_received, received_bytes, received_of
from ds3d_pipeline.web.runs import STATES, facts_of, is_being_made, waiting_facts
from ds3d_pipeline.web.sentences import shown_status
from ds3d_pipeline.web.status import JobStatus, LastWord, QueuePlace, RunFacts, State, job_status
from ds3d_pipeline.web.words import forget_word, write_word

_DAEMON_FOR_S, _HISTORY_FOR_S = 2.0, 60.0
_RUNS_LISTED = 1000
_LATE_S, _LATE_EVERY_S = 10.0, 0.5
"""So long an order that was dropped may still become a run: the sensor had it in its hands."""
_GOING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED]


class Jobs:
    """Of one home and its Dagster instance. Every method may be called from any thread."""

    def __init__(
        self,
        home: Home,
        instance: dg.DagsterInstance | None = None,
        *,
        brings_daemon: Callable[[], bool] = lambda: False,
    ) -> None:
        """`brings_daemon` says whether a daemon of our own runs, or is about to."""
        self._home, self._given = home, instance
        self._opened, self._opening = contextlib.ExitStack(), threading.Lock()
        self._closed, self._threads = threading.Event(), list[threading.Thread]()
        self._history: Kept[Sequence[Timing]] = Kept(lambda: read_timings(home), _HISTORY_FOR_S)
        watch, self._brings_daemon = DaemonWatch(home), brings_daemon
        self._has_daemon = Kept(lambda: watch.goes_on(self.instance), _DAEMON_FOR_S)

    @property
    def instance(self) -> dg.DagsterInstance:
        """Opened when it is first asked for, as that takes seconds in a new home."""
        with self._opening:
            if self._given is None:
                self._given = self._opened.enter_context(open_instance(self._home))
            return self._given

    def has_daemon(self) -> bool:
        """Whether Dagster's daemon works for this home."""
        return self._brings_daemon() or self._has_daemon()

    def mode_seconds(self) -> dict[str, float]:
        """How long a usual capture should take on this machine, by mode."""
        return mode_seconds(self._history())

    def exists(self, job: str) -> bool:
        """Whether there is a capture of this name, however it came here."""
        return is_job(self._home, job)

    def status(self, job: str) -> JobStatus:
        """What a job is doing. Raises Problem where there is none of this name."""
        self._check(job)
        going = self._with_waiting(self._runs(dg.RunsFilter(statuses=_GOING)))
        return self._status(job, self._latest(job), going)

    def listing(self, before: tuple[float, str] | None, limit: int) -> list[JobStatus]:
        """Jobs by the time at which they were asked for, newest first; only those before `before`, a job's
        time and name."""
        runs = self._with_waiting(self._runs(None, _RUNS_LISTED))
        latest = {run.capture: run for run in reversed(runs)}
        waiting = {order.request.capture: order.asked_at for order in orders(self._home)}
        names = capture_names(self._home)
        asked = [(self._asked_at(name, waiting, latest), name) for name in names]
        page = sorted((key for key in asked if before is None or key < before), reverse=True)[:limit]
        return [self._status(name, latest.get(name), runs) for _, name in page]

    def _asked_at(self, name: str, waiting: dict[str, float], latest: dict[str, RunFacts]) -> float:
        if name in waiting:
            return waiting[name]
        return latest[name].created_at if name in latest else registered_at(self._home, name)

    def _check(self, job: str) -> None:
        if not self.exists(job):
            raise Problem(404, f"There is no capture {job[:80]!r}.", "See /api/jobs for all of them.")

    def _status(self, job: str, run: RunFacts | None, runs: Sequence[RunFacts]) -> JobStatus:
        order = order_of(self._home, job)
        if order and run and order.run_key == run.run_key:
            order = None
        outside = Outside(
            order=order,
            run=run,
            queue=self._place(order, run, [other for other in runs if other.state == "queued"]),
            is_alone=not any(other.state == "running" and other.capture != job for other in runs),
            has_daemon=self.has_daemon(),
            history=self._history(),
        )
        return shown_status(job_status(gather(self._home, job, outside)), self._home)

    def _place(
        self, order: Order | None, run: RunFacts | None, queued: Sequence[RunFacts]
    ) -> QueuePlace | None:
        started = {other.run_key for other in queued}
        asked = [other for other in orders(self._home) if other.run_key not in started]
        waiting = sorted(
            [(one.created_at, one.run_id) for one in queued] + [(one.asked_at, one.run_key) for one in asked]
        )
        mine = order.run_key if order else run.run_id if run else ""
        position = next((number for number, (_, key) in enumerate(waiting, 1) if key == mine), None)
        return QueuePlace(position=position, of=len(waiting)) if position else None

    def _latest(self, job: str) -> RunFacts | None:
        runs = self._with_waiting(self._runs(dg.RunsFilter(tags={PARTITION_TAG: job}), 1))
        return next((run for run in runs if run.capture == job), None)

    def _with_waiting(self, runs: list[RunFacts]) -> list[RunFacts]:
        """The same, after what waits at the command line and has no run yet."""
        newest = {run.capture: run.created_at for run in reversed(runs)}
        waiting = waiting_facts(self._home)
        return [one for one in waiting if one.created_at > newest.get(one.capture, 0.0)] + runs

    def _runs(self, wanted: dg.RunsFilter | None, limit: int | None = None) -> list[RunFacts]:
        """Newest first; those without a capture are left out."""
        records = self.instance.get_run_records(wanted, limit=limit)
        return [facts_of(self._home, one) for one in records if PARTITION_TAG in one.dagster_run.tags]

    def cancel(self, job: str) -> State:
        """Stops a job, or takes it from the queue; `cancelling` as long as a program of it still runs.

        Raises Problem where there is nothing to stop.
        """
        status = self.status(job)
        if status.has_ended:
            raise Problem(409, f"{job} is {status.state} already.", "Nothing was changed.")
        order = order_of(self._home, job)
        if order:
            drop_order(self._home, order.run_key)
        run_key = order.run_key if order else ""
        write_word(
            self._home, job, LastWord(state="cancelled", mode=status.mode, at=time.time(), run_key=run_key)
        )
        if status.run_id:
            self._cancel_run(status.run_id)
        elif order:
            self._start(self._cancel_late, order.run_key)
        return self.status(job).state

    def _cancel_run(self, run_id: str) -> None:
        """By Dagster where it can; else by a mark that every stage looks at, whoever runs it."""
        run = self.instance.get_run_by_id(run_id)
        if run is None:
            stop_waiting(self._home, run_id)
        elif run.is_finished:
            self.instance.add_run_tags(run_id, {WILL_RETRY_TAG: "false"})
        elif is_being_made(run):
            # Dagster would wait for its end for minutes: it is not in the queue yet, and has no process.
            self._start(self._cancel_made, run_id)
        elif not self._is_terminated(run):
            run_journal(self._home, run_id).cancel()

    def _is_terminated(self, run: dg.DagsterRun) -> bool:
        if run.tags.get(COMMAND_LINE_TAG) == run.run_id:
            return False
        try:
            return self.instance.run_coordinator.cancel_run(run.run_id)
        except (DagsterUserCodeUnreachableError, DagsterUserCodeProcessError):
            return False

    def _cancel_late(self, run_key: str) -> None:
        end = time.monotonic() + _LATE_S
        while time.monotonic() < end and not self._closed.wait(_LATE_EVERY_S):
            for run in self.instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: run_key})):
                if not is_being_made(run):
                    self._cancel_run(run.run_id)

    def _cancel_made(self, run_id: str) -> None:
        end = time.monotonic() + _LATE_S
        while not self._closed.wait(_LATE_EVERY_S):
            run = self.instance.get_run_by_id(run_id)
            if run is None or not is_being_made(run):
                self._cancel_run(run_id)
                return
            if time.monotonic() > end:
                self.instance.report_run_canceled(run)
                return

    def _start(self, work: Callable[[str], None], argument: str) -> None:
        thread = threading.Thread(target=work, args=(argument,), name="late cancel", daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def close(self) -> None:
        """Ends what still runs in the background, and closes the instance that was opened here."""
        self._closed.set()
        for thread in self._threads:
            thread.join()
        self._opened.close()

    def again(self, job: str, mode: str | None, start: str | None) -> JobStatus:
        """Asks for one more run, by default as the last one was. Raises Problem while one goes on."""
        status = self.status(job)
        if not status.has_ended:
            raise Problem(409, f"{job} is {status.state}.", "Cancel it, or wait until it has ended.")
        request = self._last_request(job, status)
        request = dataclasses.replace(request, mode=mode or request.mode, start=start, source="page")
        forget_word(self._home, job)
        run_key = f"again-{uuid.uuid4().hex}"
        place_order(self._home, Order(run_key=run_key, request=request, asked_at=time.time()))
        return self.status(job)

    def _last_request(self, job: str, status: JobStatus) -> RunRequest:
        run = self.instance.get_run_by_id(status.run_id) if status.run_id else None
        if run is not None:
            return dataclasses.replace(request_of(run.run_config, run.tags), inputs=())
        mode, output = status.mode or DEFAULT_MODE, outputs_folder(self._home)
        return RunRequest(capture=job, mode=mode, output=output, source="page")

    def delete(self, job: str) -> int:
        """Removes a job whole, as `ds3d delete` does, and what was sent here for it; returns the bytes freed.

        Raises Problem while it goes on.
        """
        status = self.status(job)
        if not status.has_ended:
            raise Problem(409, f"{job} is {status.state}.", "Cancel it, or wait until it has ended.")
        received = received_of(self._home, job)
        own_bytes = received_bytes(received)
        try:
            freed = delete_capture(self._home, job, keep_outputs=False).bytes
        except InputError as error:
            raise Problem(409, error.cause, error.remedy) from error
        forget_word(self._home, job)
        drop_previews(self._home, job)
        drop_received(received)
        return freed + own_bytes

    def going_on(self) -> list[str]:
        """Names of the captures that are worked on at this moment, those of the command line left out."""
        begun = [status for status in UNFINISHED if status in STATES]
        runs = self.instance.get_runs(dg.RunsFilter(statuses=begun))
        return [
            run.tags[PARTITION_TAG]
            for run in runs
            if PARTITION_TAG in run.tags and run.tags.get(COMMAND_LINE_TAG) != run.run_id
        ]
