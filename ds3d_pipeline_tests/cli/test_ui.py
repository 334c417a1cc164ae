"""`ds3d ui` shows Dagster's UI on the home of ds3d, from any folder."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from ds3d_pipeline_tests.captures import DS3D, environment

pytestmark = pytest.mark.slow


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def asked(port, query):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def wait_for(port, program, query):
    end = time.monotonic() + 200
    while time.monotonic() < end and program.poll() is None:
        try:
            return asked(port, query)
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise AssertionError(program.communicate()[0])


def test_it_shows_the_assets_and_ends_with_an_interrupt(tmp_path):
    port, elsewhere = free_port(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = subprocess.Popen(
        [*DS3D, "ui", "--port", str(port)],
        cwd=elsewhere,
        env=environment(tmp_path / "home"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assets = wait_for(port, program, "{ assetNodes { assetKey { path } } }")["assetNodes"]
        assert ["poses"] in [asset["assetKey"]["path"] for asset in assets]
        # As Ctrl-C does: to the whole group.
        os.killpg(program.pid, signal.SIGINT)
        output = program.communicate(timeout=100)[0]
        assert f"http://127.0.0.1:{port}" in output
        assert not list(elsewhere.iterdir())
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.communicate()
