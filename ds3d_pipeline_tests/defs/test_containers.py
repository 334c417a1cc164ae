"""The container runner on a real engine: what a program may do in it, how it fails, what is left."""

import contextlib
import os
import tempfile
import threading
from pathlib import Path

import dagster as dg
import pytest
from upath import UPath

from ds3d_pipeline.programs.runner import out_of_memory
from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline.storage.bundles import fetch
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.defs.laddered import make_defs
from ds3d_pipeline_tests.engines import containers_of, wait_for_container

CAPTURE = "test-00000000"
SOCKET = Path("/var/run/docker.sock")
OTHER = 1234


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch, boxed_image):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(STAGE_CARDS, "depth_maps", STAGE_CARDS["depth_maps"])
    return prepare_home()


@pytest.fixture(autouse=True)
def nothing_left(own_home, engine):
    before = {volume.name for volume in engine.volumes.list()}
    yield
    assert containers_of(engine, own_home.root) == []
    assert {volume.name for volume in engine.volumes.list()} <= before


def run_ladder(*names: str):
    job = make_defs(*names).resolve_job_def("run_ladder")
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
        return job.execute_in_process(instance=instance, partition_key=CAPTURE, raise_on_error=False)


def published(home):
    return fetch(UPath(home.storage) / "depth_maps" / CAPTURE, home.root / "cache")


def reason_of(result, home, rung: str) -> str:
    """Why this rung was left for `works`, as the files and the event log tell it."""
    assert result.success
    lost, made = published(home).report.attempts
    assert (lost.backend, made.backend, made.outcome) == (rung, "works", "ok")
    (retried,) = [event for event in result.all_events if event.is_step_up_for_retry]
    assert lost.reason in retried.event_specific_data.error.cause.message
    return lost.reason


def test_a_container_keeps_the_contract(own_home):
    assert run_ladder("box.works").success
    bundle = published(own_home)
    told = bundle.report.result
    assert (bundle.folder / "made.txt").read_text() == "by a container"
    assert (told["wrote_input"], told["wrote_home"], told["network"]) == (False, True, False)
    assert told["options"]["max_side_px"] == 768
    assert 60 < bundle.report.peak_memory_mb < 300
    (log,) = own_home.logs.glob("*/depth_maps.0.box.works.log")
    assert log.read_text() == "working\n"


@pytest.fixture
def as_another_user():
    """A function that makes this process one of user and group 1234, which may use Docker, and back again."""
    if os.geteuid() != 0 or not SOCKET.exists():
        pytest.skip("only root can become another user, of the group of a local engine")
    groups = os.getgroups()

    @contextlib.contextmanager
    def become(*folders):
        for folder in folders:
            os.chown(folder, OTHER, OTHER)
        os.setgroups([SOCKET.stat().st_gid])
        os.setegid(OTHER)
        os.seteuid(OTHER)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)

    return become


def test_no_file_belongs_to_root(own_home, engine, monkeypatch, as_another_user):
    assert run_ladder("box.works").success, "this also imports what the other user may not read"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        monkeypatch.setenv("DAGSTER_HOME", name)
        with as_another_user(folder):
            home = prepare_home()
            assert run_ladder("box.works").success
        assert published(home).report.result["user"] == [OTHER, OTHER]
        assert {path.lstat().st_uid for path in folder.rglob("*")} == {OTHER}
        assert containers_of(engine, folder) == []


def test_a_home_on_a_named_volume(engine, monkeypatch, boxed_image):
    """Its folder on this machine is where the volume lies, as it is in a container that mounts it."""
    volume = engine.volumes.create("ds3d-test-home")
    try:
        if not os.access(volume.attrs["Mountpoint"], os.W_OK):
            pytest.skip("the engine keeps its volumes where this user cannot write")
        monkeypatch.setenv("DAGSTER_HOME", volume.attrs["Mountpoint"])
        monkeypatch.setenv("DS3D_HOME_VOLUME", volume.name)
        home = prepare_home()
        assert run_ladder("box.works").success
        assert (published(home).folder / "made.txt").exists()
        assert containers_of(engine, Path(volume.name)) == []
    finally:
        volume.remove()


def test_a_missing_image_is_named_and_never_pulled(own_home):
    reason = reason_of(run_ladder("box.missing_image", "works"), own_home, "box.missing_image")
    assert "ds3d-test-nowhere:1 is missing" in reason
    assert "docker pull" in reason


@pytest.mark.parametrize(
    ("rung", "said"),
    [
        ("box.wrong_image", "lacks the program that it should run"),
        ("box.no_image", "cannot look for the image 'No Image!'"),
        ("box.refuses", "Only 2 of 9 pixels match. Film more slowly."),
        ("box.breaks", "matrix is singular"),
        ("box.old_driver", "driver is too old for the CUDA of the image: update the driver"),
    ],
)
def test_a_failure_is_told_and_the_next_rung_runs(own_home, rung, said):
    assert said in reason_of(run_ladder(rung, "works"), own_home, rung)


def test_an_engine_that_is_gone_when_the_container_is_to_start(own_home, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/gone.sock")
    reason = reason_of(run_ladder("box.works", "works"), own_home, "box.works")
    assert "Docker is not running at" in reason


def test_a_gpu_where_there_is_none(own_home, engine):
    if "nvidia" in engine.info()["Runtimes"]:
        pytest.skip("does not apply: there is a GPU here")
    reason = reason_of(run_ladder("box.no_gpu", "works"), own_home, "box.no_gpu")
    assert "NVIDIA Container Toolkit" in reason


def test_memory_beyond_the_limit(own_home, monkeypatch):
    monkeypatch.setenv("DS3D_CONTAINER_MEMORY_GB", "0.1")
    reason = reason_of(run_ladder("box.out_of_memory", "works"), own_home, "box.out_of_memory")
    assert reason.startswith(out_of_memory(100))
    assert "100 MB is the container's limit: DS3D_CONTAINER_MEMORY_GB raises it" in reason


@pytest.mark.parametrize(
    ("end", "said"), [("kill", "was killed (signal 9)"), ("remove", "was removed from outside")]
)
def test_a_container_that_is_ended_from_outside(own_home, engine, end, said):
    def strike() -> None:
        container = wait_for_container(engine, own_home.root)
        container.kill() if end == "kill" else container.remove(force=True)

    killer = threading.Thread(target=strike)
    killer.start()
    assert said in reason_of(run_ladder("box.sleeps", "works"), own_home, "box.sleeps")
    killer.join()
