"""The same examples every time; `DS3D_HYPOTHESIS=wide` looks for new ones."""

import os

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=50, database=None)
settings.register_profile("wide", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("DS3D_HYPOTHESIS", "steady"))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A folder that the examples of a module share."""
    return tmp_path_factory.mktemp("scratch")
