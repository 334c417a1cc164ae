"""The table of environment variables."""

import re
from pathlib import Path

import pytest

import ds3d_pipeline
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs import settings
from ds3d_pipeline.programs.settings import SETTINGS, check_settings, faults, settings_table

PACKAGE = Path(ds3d_pipeline.__file__).parent
OF_CONTAINERS = {"DS3D_GPU"}
"""What we set for the script in COLMAP's container."""


def test_the_table_of_the_documentation_is_made_from_this_one():
    assert settings_table() in (PACKAGE.parent / "docs" / "using.md").read_text(encoding="utf-8")


def test_every_variable_of_the_package_is_in_the_table():
    named = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in re.findall(r"\bDS3D_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert named - OF_CONTAINERS == {s.name for s in SETTINGS if s.name.startswith("DS3D_")}


def test_variables_are_read_in_one_module_only():
    direct = re.compile(r"environ\.get\(\s*\"(DS3D_|DAGSTER_HOME)|getenv|environ\[\"DS3D_[A-Z_]+\"\](?! =)")
    readers = [path.name for path in PACKAGE.rglob("*.py") if direct.search(path.read_text(encoding="utf-8"))]
    assert readers == []


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("DS3D_MEMORY_MB", "abc", "a number above 0"),
        ("DS3D_MEMORY_MB", "nan", "a number above 0"),
        ("DS3D_CONTAINER_MEMORY_GB", "-1", "a number above 0"),
        ("DS3D_CONTAINER_CPUS", "inf", "a number above 0"),
        ("DS3D_UPLOADS_EVERY_S", "1.5", "whole seconds, 1 to 86400"),
        ("DS3D_UPLOADS_EVERY_S", "0", "whole seconds, 1 to 86400"),
        ("DS3D_CONTAINER_PULL", "maybe", "1 or 0"),
        ("DS3D_OUTPUTS", "~nobody-of-this-name/x", "a folder"),
    ],
)
@pytest.mark.fault("interval setting", "memory setting")
def test_a_value_that_does_not_fit_is_named_with_what_does(monkeypatch, name, value, remedy):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as caught:
        check_settings()
    assert str(caught.value) == f"{name} is {value!r}. Give {remedy}, or leave it out."
    assert [named for named, _ in faults()] == [name]


def test_values_that_fit_are_read(monkeypatch, tmp_path):
    values = {"DS3D_MEMORY_MB": "1e3", "DS3D_UPLOADS_EVERY_S": "86400", "DS3D_CONTAINER_PULL": "Yes"}
    for name, value in (values | {"DS3D_OUTPUTS": "~/out"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    check_settings()
    assert settings.read_number("DS3D_MEMORY_MB") == 1000
    assert settings.read_seconds("DS3D_UPLOADS_EVERY_S", 15) == 86_400
    assert settings.read_switch("DS3D_CONTAINER_PULL")
    assert settings.read_folder("DS3D_OUTPUTS") == tmp_path / "out"


def test_an_empty_value_is_none(monkeypatch):
    for setting in SETTINGS:
        monkeypatch.setenv(setting.name, "")
    check_settings()
    assert settings.read_number("DS3D_MEMORY_MB") is None
    assert settings.read_seconds("DS3D_UPLOADS_EVERY_S", 15) == 15
