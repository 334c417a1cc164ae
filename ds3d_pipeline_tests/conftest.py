"""Fixtures that every test may use."""

import signal
from pathlib import Path

import pytest

from ds3d_pipeline_tests.captures import make_photos

SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"


def pytest_configure() -> None:
    """A shell's background job ignores Ctrl-C, and its children would too: those that test it must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
