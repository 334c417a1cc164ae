"""One process at a time, and a lock that is gone with its process."""

import subprocess
import sys

import pytest

from ds3d_pipeline.storage.locks import locked

HOLDER = """
import sys, time
from pathlib import Path
from ds3d_pipeline.storage.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


class Busy(Exception):
    """The lock is held by another."""


def refuse():
    raise Busy


def test_a_lock_is_held_until_its_process_is_killed(tmp_path):
    path = tmp_path / "locks" / "one"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy), locked(path, refuse):
            pass
        holder.kill()
        holder.wait(30)
        with locked(path, refuse):
            pass


def test_a_lock_can_be_taken_again_once_it_is_free(tmp_path):
    with locked(tmp_path / "one", refuse), pytest.raises(Busy), locked(tmp_path / "one", refuse):
        pass
    with locked(tmp_path / "one", refuse):
        pass
