"""Loading pycolmap leaves SIGTERM as it was."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ds3d_pipeline

PACKAGE = Path(ds3d_pipeline.__file__).parent
SCRIPT = """
import os, signal, threading, time
def interrupt(number, frame):
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, interrupt)
def load():
    {load}
thread = threading.Thread(target=load)
thread.start()
thread.join()
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
except KeyboardInterrupt:
    print("tidy")
"""


def after_loading(load: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT.format(load=load)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.fault("SIGTERM")
def test_sigterm_ends_a_process_tidily_once_pycolmap_is_loaded():
    done = after_loading("from ds3d_pipeline.programs.colmap_library import pycolmap")
    assert (done.returncode, done.stdout, done.stderr) == (0, "tidy\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="does not apply: this is how the wheel for Linux behaves")
def test_without_our_care_it_prints_a_stack():
    done = after_loading("import pycolmap")
    assert done.returncode != 0
    assert "SIGTERM" in done.stderr


def test_pycolmap_is_loaded_in_one_place_only():
    loaders = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^\s*(import pycolmap|from pycolmap)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert loaders == ["colmap_library.py"]
