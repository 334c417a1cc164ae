"""A Docker engine that is there, or the tests are skipped."""

from pathlib import Path

import docker.errors
import pytest

from ds3d_pipeline.containers.engine import connect, look_at_engine
from ds3d_pipeline_tests.defs.laddered import BOXED_IMAGE

BOXED = Path(__file__).with_name("boxed")


@pytest.fixture(scope="session")
def engine():
    """A client of the engine that runs here."""
    if why_not := look_at_engine().why_not:
        pytest.skip(why_not)
    return connect()


@pytest.fixture(scope="session")
def boxed_image(engine) -> str:
    """The image of `defs/boxed`, built in a moment."""
    try:
        engine.images.build(path=str(BOXED), tag=BOXED_IMAGE, rm=True)
    except docker.errors.DockerException as error:
        pytest.skip(f"the test image cannot be built: {error}")
    return BOXED_IMAGE
