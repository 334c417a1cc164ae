"""What the files of images and stack repeat from the package agrees with it; no engine is needed."""

import pytest
import yaml

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


def test_the_stack_names_the_code_location_as_the_package_does():
    (stack,) = read("docker/pipeline/workspace.yaml")["load_from"]
    (package,) = read("workspace.yaml")["load_from"]
    assert stack["grpc_server"]["location_name"] == package["python_module"]


def test_only_the_override_touches_the_docker_socket():
    assert "docker.sock" not in (ROOT / "docker-compose.yml").read_text()
    told = read("docker-compose.docker.yml")["services"]
    assert list(told) == ["code"]
    assert told["code"]["volumes"] == ["/var/run/docker.sock:/var/run/docker.sock"]
