"""What the probes find, with and without an engine."""

import json
import socket
from hashlib import sha256

import pytest

from ds3d_pipeline.containers.engine import (
    _describe,
    describe_engine,
    image_name,
    look_at_engine,
    read_settings,
    why_no_container,
)
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.stages.plan import plan_ladder

SOCKET = "unix:///var/run/docker.sock"


@pytest.fixture
def docker_context(tmp_path, monkeypatch):
    """Makes a context the current one, as Docker Desktop does."""

    def use(host: str) -> None:
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / host.rpartition("/")[2]))
        folder = tmp_path / host.rpartition("/")[2]
        meta = folder / "contexts" / "meta" / sha256(b"desktop-linux").hexdigest()
        meta.mkdir(parents=True)
        told = {"Name": "desktop-linux", "Metadata": {}, "Endpoints": {"docker": {"Host": host}}}
        (meta / "meta.json").write_text(json.dumps(told))
        (folder / "config.json").write_text('{"currentContext": "desktop-linux"}')

    return use


def test_without_an_engine_the_local_rungs_are_left(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    plan = plan_ladder("poses", PosesOptions())
    assert plan.rungs == ("pycolmap", "opencv", "single")
    (passed,) = plan.skipped
    assert passed.backend == "colmap-container"
    assert "Docker is not running" in passed.reason


def test_an_engine_that_is_mute_is_not_waited_for(monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        mute.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/mute.sock")
        assert "does not answer: restart Docker" in str(why_no_container("colmap"))


def test_a_variable_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("DS3D_CONTAINER_CPUS", "many")
    monkeypatch.setenv("DOCKER_HOST", SOCKET + ".other")
    assert "DS3D_CONTAINER_CPUS is 'many'" in str(look_at_engine().why_not)


def test_settings_come_from_variables():
    told = {"DS3D_CONTAINER_MEMORY_GB": "2.5", "DS3D_CONTAINER_PULL": "1", "DS3D_HOME_VOLUME": "ds3d_home"}
    settings = read_settings(told)
    assert (settings.memory_gb, settings.cpus, settings.pull) == (2.5, None, True)
    assert settings.home_volume == "ds3d_home"
    assert read_settings({}).home_volume is None


def test_an_image_may_be_a_tag_or_a_digest(monkeypatch):
    assert image_name("colmap") == "colmap/colmap:latest"
    digest = "colmap/colmap@sha256:" + "0" * 64
    monkeypatch.setenv("DS3D_COLMAP_IMAGE", digest)
    assert image_name("colmap") == digest
    assert image_name("some/image:1") == "some/image:1"


@pytest.mark.parametrize(
    ("info", "gpus", "rootless"),
    [
        ({"Runtimes": {"runc": {}}}, False, False),
        ({"Runtimes": {"runc": {}, "nvidia": {}}, "SecurityOptions": ["name=rootless"]}, True, True),
        ({"Runtimes": {}, "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]}, True, False),
    ],
)
def test_gpu_and_rootless_engines_are_told_from_what_the_engine_says(info, gpus, rootless):
    engine = _describe(info, {"Version": "28.0"})
    assert (engine.gpus, engine.rootless, engine.why_not) == (gpus, rootless, None)


def test_a_context_chooses_the_engine(docker_context):
    docker_context("unix:///nowhere/at-all.sock")
    assert "Docker is not running" in str(look_at_engine().why_not)


@pytest.mark.docker
def test_the_engine_of_this_machine(docker_context, monkeypatch):
    if look_at_engine().why_not:
        pytest.skip(str(look_at_engine().why_not))
    monkeypatch.setenv("DS3D_COLMAP_IMAGE", "ds3d-test-nowhere:1")
    assert "ds3d-test-nowhere:1 missing" in describe_engine()
    assert "docker pull" in str(why_no_container("colmap"))
    monkeypatch.setenv("DS3D_CONTAINER_PULL", "1")
    assert why_no_container("colmap") is None


def test_containers_train_no_splat_where_none_is_wanted(monkeypatch):
    plan = plan_ladder("splat", SplatOptions(train=False))
    assert plan.rungs == ("light",)
