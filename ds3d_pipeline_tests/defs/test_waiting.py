"""A run that has to wait says for what, once, and goes on when that has ended."""

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Callable

import dagster as dg
import pytest

from ds3d_pipeline.defs import waiting
from ds3d_pipeline.defs.executors import patient_claims
from ds3d_pipeline.defs.runs import CLEAN_JOB, COMMAND_LINE_TAG, PARTITION_TAG
from ds3d_pipeline.defs.waiting import await_others, turn
from ds3d_pipeline.execution.heartbeat import Process, process_start, this_system
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.captures import environment, start_ds3d

HOLDER = """
import time
from ds3d_pipeline.defs.waiting import turn
from ds3d_pipeline.storage.home import prepare_home
with turn(prepare_home(), "fox", None):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(waiting, "POLL_S", 0.01)
    return prepare_home()


@dataclasses.dataclass
class Hall:
    """A display that keeps what was waited for, and then does something about it."""

    act: Callable[[], object]
    told: list[str] = dataclasses.field(default_factory=list)

    def wait_for(self, capture: str, since: float) -> None:
        self.told.append(capture)
        self.act()

    def look(self) -> None:
        pass

    def following(self, read):
        raise AssertionError

    def finish(self, metrics, folder):
        raise AssertionError


@pytest.fixture
def sleeper():
    """Another process, which ends when it is killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.fault("two runs at once", "waiting run")
def test_the_second_run_says_what_it_waits_for_and_follows_a_killed_one(home):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True, env=environment(home.root)
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        hall = Hall(holder.kill)
        with turn(home, "room", hall):
            pass
    assert hall.told == ["fox"]


def test_whoever_looks_on_may_end_the_waiting(home):
    """As Ctrl-C does, at once."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    hall = Hall(interrupt)
    with turn(home, "fox", hall), pytest.raises(KeyboardInterrupt), turn(home, "room", hall):
        pass


def test_with_nobody_before_it_a_run_says_nothing(home):
    hall = Hall(list)
    with turn(home, "room", hall), dg.DagsterInstance.get() as instance:
        await_others(instance, home, hall)
    assert hall.told == []


def add_run(instance, home, run_id: str, process, job: str = "reconstruct_fastest", **tags: str) -> None:
    status = dg.DagsterRunStatus.STARTED
    run = dg.DagsterRun(job_name=job, run_id=run_id, status=status, tags={PARTITION_TAG: "fox", **tags})
    instance.add_run(run)
    heart = Process(system=this_system(), pid=process.pid, started=process_start(process.pid))
    (home.work / run_id).mkdir()
    write_json(home.work / run_id / "heartbeat.json", heart)


@pytest.mark.fault("command line and daemon at once")
def test_a_run_of_the_daemon_is_waited_for_until_its_process_is_gone(home, sleeper):
    def end() -> None:
        sleeper.kill()
        sleeper.wait(30)

    hall = Hall(end)
    with dg.DagsterInstance.get() as instance:
        add_run(instance, home, "one", sleeper)
        await_others(instance, home, hall)
        assert instance.get_run_by_id("one").status == dg.DagsterRunStatus.FAILURE
    assert hall.told == ["fox"]


def test_cleaning_and_runs_of_which_nothing_is_known_are_not_waited_for(home, sleeper):
    with dg.DagsterInstance.get() as instance:
        add_run(instance, home, "cleaning", sleeper, job=CLEAN_JOB)
        add_run(instance, home, "unknown", sleeper)
        add_run(instance, home, "own", sleeper, **{COMMAND_LINE_TAG: "own"})
        (home.work / "unknown" / "heartbeat.json").unlink()
        hall = Hall(list)
        await_others(instance, home, hall)
        assert hall.told == []
        assert run_journal(home, "cleaning").is_going()


@dg.op(pool="heavy")
def heavy() -> None:
    pass


@dg.job
def one_heavy() -> None:
    heavy()


@pytest.mark.fault("waiting run")
def test_a_run_that_waits_for_a_pool_sleeps_between_its_looks(home):
    looks, go_on = [], threading.Event()
    with dg.DagsterInstance.get() as instance:
        pools = instance.event_log_storage
        pools.initialize_concurrency_limit_to_default("heavy")
        assert pools.claim_concurrency_slot("heavy", "other", "step").is_claimed

        def before_sleep() -> None:
            looks.append(1)
            if len(looks) == 3:
                go_on.set()

        def free() -> None:
            go_on.wait(60)
            pools.free_concurrency_slots_for_run("other")

        threading.Thread(target=free, daemon=True).start()
        with patient_claims(before_sleep):
            assert one_heavy.execute_in_process(instance=instance).success
    assert 3 <= len(looks) < 60


@pytest.mark.slow
def test_four_first_starts_at_once_all_succeed(tmp_path):
    """Each makes the home, Dagster's tables, or waits for the one that does.

    `dagster dev` is given what `home` prints, and so begins where there are tables.
    """
    processes = [start_ds3d(tmp_path / "home", word) for word in ("list", "home", "list", "home")]
    told = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, told
    assert (tmp_path / "home" / "history" / "runs.db").is_file()
