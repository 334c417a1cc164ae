"""What the files of images and stack repeat from the package agrees with it; no engine is needed."""

import itertools
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ds3d_pipeline_tests.docker.engine import ROOT


def read(name: str):
    return yaml.safe_load((ROOT / name).read_text())


@pytest.mark.parametrize("key", ["telemetry", "concurrency", "run_monitoring", "compute_logs"])
def test_the_stacks_instance_is_the_packages_but_for_its_database(key):
    assert read("docker/pipeline/dagster.yaml")[key] == read("ds3d_pipeline/storage/dagster.yaml")[key]


def test_the_trainer_asks_for_what_the_package_asks_for():
    known = (ROOT / "pyproject.toml").read_text()
    asked = (ROOT / "docker/trainer/requirements.txt").read_text().split()
    assert [line for line in asked if f'"{line}",' not in known] == ["pydantic>=2.13"]  # Dagster brings it


def locked(name: str) -> dict[str, SpecifierSet]:
    """The pinned versions of a lock file, by the package's canonical name."""
    lines = (ROOT / name).read_text().splitlines()
    assert not [line for line in lines if line.startswith("-") or "://" in line], (
        "no index belongs into a lock"
    )
    pins = [Requirement(line.removesuffix(" \\")) for line in lines if line[:1].isalnum()]
    return {canonicalize_name(pin.name): pin.specifier for pin in pins}


def asked(*extras: str) -> dict[str, SpecifierSet]:
    """What pyproject.toml asks for, by the package's canonical name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    found = [Requirement(text) for text in itertools.chain.from_iterable(lists)]
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in found}


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("requirements.lock", ("cpu", "server")), ("requirements-test.lock", ("cpu", "server", "test"))],
)
def test_a_lock_pins_all_that_the_package_asks_for(lock, extras):
    pins = locked(lock)
    for name, allowed in asked(*extras).items():
        (pin,) = pins[name]
        assert pin.operator == "=="
        assert pin.version in allowed, f"{name}: run `make lock`"


@pytest.mark.parametrize("lock", ["requirements-test.lock", "docker/trainer/requirements.lock"])
def test_all_locks_pin_the_same_versions(lock):
    known, pins = locked("requirements.lock"), locked(lock)
    assert {name: pins[name] for name in known.keys() & pins.keys()} == {
        name: known[name] for name in known.keys() & pins.keys()
    }


def test_the_stack_names_the_code_location_as_the_package_does():
    (stack,) = read("docker/pipeline/workspace.yaml")["load_from"]
    (package,) = read("workspace.yaml")["load_from"]
    assert stack["grpc_server"]["location_name"] == package["python_module"]


def test_only_the_override_touches_the_docker_socket():
    assert "docker.sock" not in (ROOT / "docker-compose.yml").read_text()
    told = read("docker-compose.docker.yml")["services"]
    assert list(told) == ["code"]
    assert told["code"]["volumes"] == ["/var/run/docker.sock:/var/run/docker.sock"]
