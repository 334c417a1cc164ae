"""Homes and servers of the upload page's tests."""

import pytest

from ds3d_pipeline_tests.web.servers import serving


@pytest.fixture
def web_home(tmp_path, monkeypatch):
    """A new home, which is that of this process."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DS3D_OUTPUTS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def server(web_home):
    """A server without a token."""
    with serving(web_home) as running:
        yield running


@pytest.fixture
def closed(web_home):
    """A server that wants the token `right`."""
    with serving(web_home, token="right") as running:
        yield running
