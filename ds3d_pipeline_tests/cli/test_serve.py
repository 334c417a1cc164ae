"""What `ds3d serve` starts with, and how it is stopped."""

import os
import signal
import socket

import pytest

from ds3d_pipeline.cli.arguments import build_parser
from ds3d_pipeline.cli.serve import Stops, going_on_line, serve, settings_of
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.locks import locked
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.ports import free_port


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    for name in ("DS3D_TOKEN", "DS3D_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    return prepare_home()


def arguments(*words: str):
    return build_parser().parse_args(["serve", *words])


def test_alone_it_listens_on_this_machine_and_asks_for_no_token(home):
    found = settings_of(arguments(), home)
    assert (found.host, found.port, found.token) == ("127.0.0.1", 8000, None)
    assert found.hosts == {"localhost", "127.0.0.1", "::1"}


@pytest.mark.parametrize("words", [("--lan",), ("--host", "0.0.0.0"), ("--host", "192.168.1.20")])
def test_whatever_lets_others_in_has_a_token(home, words):
    found = settings_of(arguments(*words), home)
    assert len(found.token) == 22
    assert "0.0.0.0" not in found.hosts
    assert ("192.168.1.20" in found.hosts) == ("192.168.1.20" in words)


def test_a_proxys_name_can_be_added(home, monkeypatch):
    monkeypatch.setenv("DS3D_HOSTS", "ds3d.example.org, Other.example")
    assert {"ds3d.example.org", "other.example"} <= settings_of(arguments(), home).hosts


def test_a_token_of_the_users_own_is_taken(home, monkeypatch):
    assert settings_of(arguments("--token", "mine", "--lan"), home).token == "mine"
    monkeypatch.setenv("DS3D_TOKEN", "theirs")
    assert settings_of(arguments("--lan"), home).token == "theirs"


def test_a_second_server_of_a_home_is_refused_in_one_sentence(home):
    with locked(home.locks / "serve"), pytest.raises(InputError, match="A server of this home runs already"):
        serve(arguments("--no-open"), print)


def test_a_port_that_is_in_use_is_refused_in_one_sentence(home):
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot be listened on at port {port}"):
            serve(arguments("--no-open", "--port", str(port)), print)


def test_presses_are_counted_and_an_end_by_the_system_is_none():
    with Stops() as stops:
        os.kill(os.getpid(), signal.SIGINT)
        stops.wait(5)
        os.kill(os.getpid(), signal.SIGINT)
        stops.wait(5)
        assert (stops.presses, stops.is_terminated) == (2, False)
        os.kill(os.getpid(), signal.SIGTERM)
        stops.wait(5)
        assert (stops.presses, stops.is_terminated) == (2, True)


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (1, "1 capture goes on; press again to stop it."),
        (2, "2 captures go on; press again to stop them."),
    ],
)
def test_the_first_press_says_what_goes_on(number, line):
    assert going_on_line(number) == line
