"""An engine of the test's own is stopped while a container runs, and started again."""

import io
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import dagster as dg
import docker
import pytest
from upath import UPath

from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline.storage.bundles import fetch
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.defs.laddered import make_defs
from ds3d_pipeline_tests.engines import containers_of, wait_for_container

CAPTURE = "test-00000000"
SLEEPER = b"#!/bin/sh\nsleep 600\n"


def tiny_image() -> bytes:
    """A file system of a shell, `sleep` and a `python` that sleeps."""
    files = {f"bin/{name}": str(shutil.which(name)) for name in ("sh", "sleep")}
    for program in list(files.values()):
        told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        files |= {word.lstrip("/"): word for word in told.split() if word.startswith("/")}
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", dereference=True) as tar:
        for name, path in files.items():
            tar.add(path, name)
        sleeper = tarfile.TarInfo("bin/python")
        sleeper.mode, sleeper.size = 0o755, len(SLEEPER)
        tar.addfile(sleeper, io.BytesIO(SLEEPER))
    return held.getvalue()


class Engine:
    """A Docker engine in a folder, without networks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"

    def start(self) -> docker.DockerClient:
        words = [
            "--data-root",
            self.folder / "data",
            "--exec-root",
            self.folder / "exec",
            "--host",
            self.host,
        ]
        words += ["--pidfile", self.folder / "pid", "--bridge", "none", "--iptables=false"]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                # A second engine would take down the bridge of the first.
                ["unshare", "--net", "dockerd", *map(str, words)],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return docker.DockerClient(self.host, timeout=20)
            except docker.errors.DockerException:
                time.sleep(0.2)
        pytest.skip(f"no engine can be started here: {(self.folder / 'log').read_text()[-300:]}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@pytest.fixture
def own_engine(tmp_path_factory):
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("only root can start an engine, and only where dockerd is installed")
    engine = Engine(tmp_path_factory.mktemp("engine"))
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch, own_engine):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCKER_HOST", own_engine.host)
    monkeypatch.setitem(STAGE_CARDS, "depth_maps", STAGE_CARDS["depth_maps"])
    return prepare_home()


def run_ladder(*names: str):
    job = make_defs(*names).resolve_job_def("run_ladder")
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
        return job.execute_in_process(instance=instance, partition_key=CAPTURE, raise_on_error=False)


def test_a_stopped_engine_is_a_lost_rung_and_the_next_run_tidies_up(own_home, own_engine):
    client = own_engine.start()
    client.api.import_image_from_data(tiny_image(), "ds3d-test-tiny")

    def stop() -> None:
        wait_for_container(client, own_home.root)
        own_engine.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    assert run_ladder("box.tiny", "works").success
    stopper.join()
    lost, made = fetch(UPath(own_home.storage) / "depth_maps" / CAPTURE, own_home.root).report.attempts
    assert (lost.backend, lost.outcome, made.outcome) == ("box.tiny", "crashed", "ok")
    assert "engine went away" in lost.reason or "its engine was" in lost.reason
    client = own_engine.start()
    assert len(containers_of(client, own_home.root)) == 1
    assert run_ladder("works", "box.tiny").success
    assert containers_of(client, own_home.root) == []
    assert client.volumes.list() == []
