"""Fixtures that every test may use, and the tiers of tests."""

import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline_tests import tiers
from ds3d_pipeline_tests.captures import make_photos

SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"


def pytest_configure() -> None:
    """A shell's background job ignores Ctrl-C, and its children would too: those that test it must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return tiers.processes(config.option.markexpr, config.option.file_or_dir, allowed_cpus())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before `-m` selects."""
    tiers.assign(items)


def pytest_report_collectionfinish(items: list[pytest.Item]) -> str:
    return f"tiers: {tiers.summary(items) or 'nothing selected'}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    tiers.refuse_skip(item, report)
    return report


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real captures beside the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real captures at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight small synthetic photos."""
    return make_photos(tmp_path_factory.mktemp("small"))
