"""One finished capture, and the injector."""

from pathlib import Path

import pytest

from ds3d_pipeline_tests.captures import make_photos
from ds3d_pipeline_tests.faults.injector import compile_injector
from ds3d_pipeline_tests.faults.rounds import Place, make_place


@pytest.fixture(scope="session")
def injector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_injector(tmp_path_factory.mktemp("injector"))


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, small_photos: Path) -> Place:
    """A home with a finished capture, shared by all: each test leaves it finished."""
    return make_place(tmp_path_factory.mktemp("place"), small_photos)


@pytest.fixture(scope="module")
def other_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Input of a capture that the home does not know."""
    return make_photos(tmp_path_factory.mktemp("other"), frames=6)
