"""Locks between processes."""

import subprocess
import sys
import threading

from ds3d_pipeline.programs.locks import locked, locked_if_free

HOLD = """
import sys, time
from pathlib import Path
from ds3d_pipeline.programs.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_free_again_after_use(tmp_path):
    for _ in range(2):
        with locked(tmp_path / "deep" / "lock"):
            pass
        with locked_if_free(tmp_path / "deep" / "lock") as held:
            assert held


def test_a_lock_that_is_held_is_said_to_be(tmp_path):
    with locked(tmp_path / "lock"), locked_if_free(tmp_path / "lock") as held:
        assert not held


def test_a_second_holder_waits_for_the_first(tmp_path):
    order: list[str] = []

    def second() -> None:
        with locked(tmp_path / "lock"):
            order.append("second")

    with locked(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]


def test_a_lock_dies_with_its_holder(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with locked_if_free(tmp_path / "lock") as held:
            assert not held
        process.kill()
        process.wait(timeout=10)
        with locked(tmp_path / "lock"):
            pass
