"""Runs that are interrupted or killed while a container works: it goes with them, or with the next run."""

import signal
import subprocess
import sys
import time

import dagster as dg
import psutil
import pytest
from upath import UPath

from ds3d_pipeline.storage.bundles import fetch
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.captures import environment, start_ds3d
from ds3d_pipeline_tests.defs.test_dev import Dev
from ds3d_pipeline_tests.engines import containers_of, wait_for_container

CANCELLED = 130
CAPTURE = "test-00000000"
GONE_S = 5.0
LADDERED = ("-m", "ds3d_pipeline_tests.defs.laddered", "-a", "from_environment")
TERMINATE = """mutation ($id: String!) { terminateRun(runId: $id) { __typename
  ... on TerminateRunFailure { message } } }"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A home and an output folder, shared so that what comes before the poses is made once."""
    return tmp_path_factory.mktemp("ends")


@pytest.fixture
def start(folder, small_photos, boxed_image, engine, monkeypatch):
    """Starts the command line with a COLMAP that never ends, and waits for its container."""
    monkeypatch.setenv("DS3D_COLMAP_IMAGE", boxed_image)
    words = ("reconstruct", small_photos, "--mode", "fastest", "--output", folder / "out")

    started = []

    def begin():
        process = start_ds3d(folder / "home", *words, "--prefer", "poses=colmap-container")
        started.append(process)
        wait_for_container(engine, folder / "home", lambda: process.poll() is None)
        return process

    yield begin
    for process in started:
        process.kill()
    for container in containers_of(engine, folder / "home"):
        container.remove(force=True)


def assert_gone_soon(engine, home) -> None:
    deadline = time.monotonic() + GONE_S
    while containers_of(engine, home):
        assert time.monotonic() < deadline, "the container is still there"
        time.sleep(0.05)


def events_of(home):
    """Of the latest run."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.get_runs(limit=1)[0]
        return [record.dagster_event for record in instance.all_logs(run.run_id) if record.dagster_event]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_of_the_command_line(start, engine, folder, number):
    process = start()
    process.send_signal(number)
    assert_gone_soon(engine, folder / "home")
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == CANCELLED, stderr[-2000:]
    events = events_of(folder / "home")
    assert not [event for event in events if event.is_step_up_for_retry]
    assert containers_of(engine, folder / "home") == []


def test_kill_9_and_then_a_new_run(start, engine, folder):
    process = start()
    (orphan,) = containers_of(engine, folder / "home")
    for member in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        member.kill()
    process.communicate(timeout=30)
    assert [found.id for found in containers_of(engine, folder / "home")] == [orphan.id]
    second = start_again_until_swept(start, engine, folder, orphan)
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=30)
    assert containers_of(engine, folder / "home") == []


def start_again_until_swept(start, engine, folder, orphan):
    process = start()
    deadline = time.monotonic() + 60
    while orphan.id in [found.id for found in containers_of(engine, folder / "home")]:
        assert time.monotonic() < deadline, "the orphan is still there"
        time.sleep(0.1)
    return process


@pytest.fixture
def own_home(tmp_path, monkeypatch, boxed_image):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DS3D_TEST_LADDER", "box.sleeps,works")
    home = prepare_home()
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
    return home


def is_step(process) -> bool:
    """Whether it is a step's own process, and not the server that forks them."""
    words = " ".join(process.cmdline())
    is_started_by_python = "multiprocessing" in words and "resource_tracker" not in words
    return is_started_by_python and not process.children()


def test_a_killed_step_leaves_its_container_to_the_next_attempt(own_home, engine):
    command = [sys.executable, "-m", "dagster", "job", "execute", "-j", "run_ladder", *LADDERED]
    command += ["--tags", f'{{"dagster/partition": "{CAPTURE}"}}']
    env = environment(own_home.root)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env) as job:
        wait_for_container(engine, own_home.root, lambda: job.poll() is None)
        for child in psutil.Process(job.pid).children(recursive=True):
            if is_step(child):
                child.kill()
        told = job.communicate(timeout=200)[0].decode()
    assert job.returncode == 0, told[-3000:]
    report = fetch(UPath(own_home.storage) / "depth_maps" / CAPTURE, own_home.root / "cache").report
    assert [(a.backend, a.outcome) for a in report.attempts] == [("box.sleeps", "crashed"), ("works", "ok")]
    assert containers_of(engine, own_home.root) == []


def test_terminate_from_the_ui(own_home, engine):
    dev = Dev(own_home.root, *LADDERED)
    try:
        dev.wait()
        run_id = dev.launch(
            "run_ladder", {}, capture=CAPTURE, location="ds3d_pipeline_tests.defs.laddered:from_environment"
        )
        wait_for_container(engine, own_home.root)
        told = dev.ask(TERMINATE, id=run_id)["terminateRun"]
        assert told["__typename"] == "TerminateRunSuccess", told
        assert_gone_soon(engine, own_home.root)
        assert dev.finish(run_id) == "CANCELED"
        assert not [event for event in events_of(own_home.root) if event.is_step_up_for_retry]
    finally:
        dev.stop()
