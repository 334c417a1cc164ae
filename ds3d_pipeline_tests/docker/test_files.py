"""What the files of images and stack repeat from the package agrees with it; no engine is needed."""

import itertools
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ds3d_pipeline.cli.arguments import build_parser
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


SERVICES = read("docker-compose.yml")["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_only_what_it_needs(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert "privileged" not in service
    assert name == "database" or "cap_add" not in service


@pytest.mark.fault("GraphQL from elsewhere")
def test_only_the_web_server_and_the_page_have_ports_and_only_for_this_machine():
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "webserver": ["${DS3D_LISTEN:-127.0.0.1}:${DS3D_PORT:-3000}:3000"],
        "page": ["${DS3D_LISTEN:-127.0.0.1}:${DS3D_PAGE_PORT:-8000}:8000"],
    }


def test_there_is_no_default_password():
    text = (ROOT / "docker-compose.yml").read_text()
    assert "${DS3D_DB_PASSWORD:-}" in text
    assert "password" not in (ROOT / "docker/pipeline/dagster.yaml").read_text().split("storage:")[1]


def test_every_setting_of_the_stack_is_at_its_top():
    text = (ROOT / "docker-compose.yml").read_text()
    head = text.split("\nx-hardened")[0]
    named = set(re.findall(r"\$\{(DS3D_[A-Z_]+)", text)) - {"DS3D_IMAGE"}
    assert {name for name in named if name not in head} == set()


def make_secret(folder: Path, password: str = "") -> tuple[str, str]:
    names = {"DS3D_DB_HOST": "database", "DS3D_DB_USER": "ds3d", "DS3D_DB_NAME": "ds3d"}
    script = ROOT / "docker/pipeline/secret.py"
    environment = os.environ | names | {"DS3D_DB_PASSWORD": password}
    subprocess.run([sys.executable, script, folder], env=environment, check=True)
    for name in ("password", "pgpass"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    return (folder / "password").read_text(), (folder / "pgpass").read_text()


def test_the_password_is_made_once_and_kept(tmp_path):
    password, pgpass = make_secret(tmp_path)
    assert len(password) > 30
    assert pgpass == f"database:5432:ds3d:ds3d:{password}\n"
    assert make_secret(tmp_path) == (password, pgpass)


def test_a_password_of_ones_own_is_taken_and_written_as_libpq_reads_it(tmp_path):
    make_secret(tmp_path)
    assert make_secret(tmp_path, r"a:b\c") == (r"a:b\c", "database:5432:ds3d:ds3d:a\\:b\\\\c\n")


def test_the_upload_page_listens_on_this_machine_with_a_token_and_without_docker():
    page = read("docker-compose.yml")["services"]["page"]
    assert page["read_only"]
    assert page["cap_drop"] == ["ALL"]
    assert not [volume for volume in page["volumes"] if "docker.sock" in volume]
    assert page["environment"]["DS3D_TOKEN"] == "${DS3D_TOKEN:-}"
    args = build_parser().parse_args(page["command"][1:])
    assert (args.command, args.no_daemon, args.host, args.port) == ("serve", True, "0.0.0.0", 8000)
    assert "page" not in read("docker-compose.docker.yml")["services"]
