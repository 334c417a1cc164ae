"""Homes and servers of the upload page's tests."""

import shutil

import pytest

from ds3d_pipeline_tests.web.servers import serving


def _clear(home):
    for folder in ("received", "registered", "orders"):
        for path in (home / folder).glob("*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def web_home(tmp_path, monkeypatch):
    """A new home, which is that of this process."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DS3D_OUTPUTS", raising=False)
    return tmp_path / "home"


def _kept_server(tmp_path_factory, token):
    """Dagster takes seconds to make a home's tables, so the tests of a module share one."""
    home = tmp_path_factory.mktemp("web") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        patch.delenv("DS3D_OUTPUTS", raising=False)
        with serving(home, token=token) as running:
            yield running


@pytest.fixture(scope="module")
def open_server(tmp_path_factory):
    yield from _kept_server(tmp_path_factory, None)


@pytest.fixture
def server(open_server, monkeypatch):
    """A server without a token, on a home without captures, which is that of this process."""
    monkeypatch.setenv("DAGSTER_HOME", str(open_server.home))
    _clear(open_server.home)
    return open_server


@pytest.fixture(scope="module")
def closed_server(tmp_path_factory):
    yield from _kept_server(tmp_path_factory, "right")


@pytest.fixture
def closed(closed_server, monkeypatch):
    """A server that wants the token `right`, and a client that does not know it."""
    monkeypatch.setenv("DAGSTER_HOME", str(closed_server.home))
    closed_server.client.cookies.clear()
    return closed_server
