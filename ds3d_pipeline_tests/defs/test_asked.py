"""What waits at the command line is known to others as long as its process goes on."""

import subprocess
import sys

import pytest

from ds3d_pipeline.defs.asked import all_asked
from ds3d_pipeline.defs.deleting import delete_capture
from ds3d_pipeline.defs.runs import latest_words
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.captures import environment

WAITING = """
import time
from pathlib import Path
from ds3d_pipeline.defs.asked import asked_for
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.storage.home import prepare_home
request = RunRequest(capture="fox", output=Path("outputs"), source="command_line")
with asked_for(prepare_home(), request, None):
    print("waiting", flush=True)
    input()
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return prepare_home()


@pytest.fixture
def waiting(home):
    """Another process, which waits for its turn with the capture `fox`."""
    command, pipe = [sys.executable, "-c", WAITING], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment(home.root)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        yield process
        process.kill()


def test_what_waits_is_in_the_list_as_queued_and_is_not_deleted(home, waiting):
    assert latest_words(home) == {"fox": "queued"}
    with pytest.raises(InputError, match="A run of fox is waiting"):
        delete_capture(home, "fox", keep_outputs=False)


def test_nothing_is_left_of_what_waited(home, waiting):
    waiting.communicate("\n", timeout=30)
    assert not list((home.locks / "asked").iterdir())


@pytest.mark.fault("kill -9", "waiting run")
def test_a_killed_process_waits_no_longer(home, waiting):
    assert [asked.capture for asked in all_asked(home)] == ["fox"]
    waiting.kill()
    waiting.wait(30)
    assert all_asked(home) == []
    assert not list((home.locks / "asked").iterdir())
