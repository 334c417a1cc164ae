"""Threads follow the environment and the CPUs that are allowed."""

import json
import os
import subprocess
import sys

from ds3d_pipeline.programs.runner import run_program
from ds3d_pipeline.programs.threads import VARIABLES, allowed_threads, with_thread_limits

ON_ONE_CPU = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"


def without_limits():
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


def test_the_environment_comes_first(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "5")
    assert allowed_threads() == 5


def test_what_the_user_has_set_stands():
    limited = with_thread_limits({"OMP_NUM_THREADS": "7", "HOME": "/home/me"})
    assert (limited["OMP_NUM_THREADS"], limited["HOME"]) == ("7", "/home/me")
    assert (
        limited["NUMBA_NUM_THREADS"] == limited["OPENCV_FOR_THREADS_NUM"] == limited["OPENBLAS_NUM_THREADS"]
    )


def test_a_stage_program_keeps_its_libraries_to_the_allowed_cpus():
    code = (
        "import cv2, numba\n"
        + ON_ONE_CPU
        + "from ds3d_pipeline.programs.threads import keep_to_allowed_cpus\n"
        "keep_to_allowed_cpus(); print(cv2.getNumThreads(), numba.get_num_threads())"
    )
    env = without_limits()
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
    assert found.stdout == "1 1\n"


def test_a_programs_children_are_told_before_they_load_anything(tmp_path):
    child = (
        "import json, pathlib, sys, cv2, numba\n"
        "found = {'opencv': cv2.getNumThreads(), 'numba': numba.config.NUMBA_NUM_THREADS}\n"
        "pathlib.Path(sys.argv[1], 'result.json').write_text(json.dumps(found))"
    )
    parent = (
        ON_ONE_CPU + "import sys, json; from pathlib import Path\n"
        "from ds3d_pipeline.programs.runner import run_program\n"
        "folder, child = Path(sys.argv[1]), sys.argv[2]\n"
        "argv = [sys.executable, '-c', child, str(folder)]\n"
        "print(json.dumps(run_program(argv, folder, log_path=folder / 'log').result))"
    )
    argv = [sys.executable, "-c", parent, str(tmp_path), child]
    found = subprocess.run(argv, check=True, capture_output=True, text=True, env=without_limits())
    assert json.loads(found.stdout) == {"opencv": 1, "numba": 1}


def test_a_program_gets_the_environment_it_is_given(tmp_path):
    code = "import os, sys, json, pathlib; pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(os.environ)))"
    argv = [sys.executable, "-c", code, str(tmp_path / "result.json")]
    run = run_program(argv, tmp_path, log_path=tmp_path / "log", env={"OMP_NUM_THREADS": "3", "OWN": "yes"})
    assert (run.result["OMP_NUM_THREADS"], run.result["OWN"]) == ("3", "yes")
