import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from ds3d_pipeline.programs import runner
from ds3d_pipeline.programs.runner import ProgramFailed, run_program
from ds3d_pipeline_tests.disks import small_disk

PROGRAM = """
import sys
from collections.abc import Mapping
from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.programs.contract import program_main
def body(work):
    {body}
    return {{"answer": 42}}
sys.exit(program_main(DepthOptions, {{"one": body}}))
"""


def run(tmp_path: Path, body: str, **options):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(body=body))
    output = tmp_path / "out"
    argv = [sys.executable, str(script), str(tmp_path), str(output)]
    return run_program(argv, output, log_path=tmp_path / "logs" / "one.log", **options)


def test_result_log_and_memory_come_back(tmp_path):
    lines: list[str] = []
    body = "import logging, time; x = bytearray(150_000_000); logging.info('working'); time.sleep(0.5)"
    done = run(tmp_path, body, on_line=lines.append)
    assert done.result == {"answer": 42}
    assert lines == ["INFO working"]
    assert done.peak_memory_mb > 150
    assert done.seconds >= 0.5


def test_a_stage_error_is_told_by_cause_and_remedy(tmp_path):
    with pytest.raises(ProgramFailed) as caught:
        run(tmp_path, "raise StageError('The lens is covered.', 'Take it off.')")
    assert caught.value.outcome == "failed"
    assert caught.value.reason == "The lens is covered. Take it off."


def test_unusable_input_is_told_apart(tmp_path):
    with pytest.raises(ProgramFailed) as caught:
        run(tmp_path, "raise InputError('a.jpg is text.', 'Give photos.')")
    assert caught.value.outcome == "input"


def test_an_exception_gives_its_last_line_and_the_tail(tmp_path):
    with pytest.raises(ProgramFailed) as caught:
        run(tmp_path, "raise RuntimeError('matrix is singular')")
    assert caught.value.outcome == "crashed"
    assert "matrix is singular" in caught.value.reason
    assert "Traceback" in caught.value.log_tail
    assert caught.value.exit_code == 1


def test_a_native_crash_names_the_signal(tmp_path):
    with pytest.raises(ProgramFailed, match="SIGSEGV"):
        run(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")


def test_memory_beyond_the_limit_is_a_failure_with_a_reason(tmp_path):
    body = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); x = bytearray(2**31)"
    with pytest.raises(ProgramFailed, match="not enough memory"):
        run(tmp_path, body)


def test_a_kill_says_that_memory_is_likely(tmp_path):
    with pytest.raises(ProgramFailed, match="memory ran out"):
        run(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_an_interrupt_kills_the_whole_group(tmp_path):
    child = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); "
    body = child + f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid)); time.sleep(60)"

    def interrupt_once_started() -> None:
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, body, on_tick=interrupt_once_started)
    assert time.monotonic() - start < 10
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_program_that_ignores_sigterm_is_killed(tmp_path):
    body = "import signal, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    body += f"pathlib.Path({str(tmp_path / 'ready')!r}).touch(); time.sleep(60)"

    def interrupt_once_ready() -> None:
        if (tmp_path / "ready").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, body, on_tick=interrupt_once_ready)
    assert not [
        p for p in psutil.Process().children(recursive=True) if p.is_running() and p.status() != "zombie"
    ]


def test_a_program_ends_with_its_parent(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(body="import time; time.sleep(60)"))
    starter = (
        "import subprocess, sys, time; "
        f"p = subprocess.Popen([sys.executable, {str(script)!r}, '.', {str(tmp_path / 'o')!r}]); "
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    deadline = time.monotonic() + 20
    while not (tmp_path / "o").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(parent.pid, 9)
    parent.wait()
    parent.stdout.close()
    assert not psutil.wait_procs([child], timeout=20)[1]


def test_progress_lines_are_whole(tmp_path):
    seen: list[dict] = []
    lock = threading.Lock()

    def tick() -> None:
        path = tmp_path / "out" / "progress.jsonl"
        if path.exists():
            with lock:
                seen[:] = [json.loads(line) for line in path.read_text().splitlines()]

    run(tmp_path, "import time; work.progress(0.5, 'half', step=3); time.sleep(0.5)", on_tick=tick)
    assert seen[-1]["fraction"] == 0.5
    assert seen[-1]["step"] == 3


STARTER = """
import sys
from pathlib import Path
from ds3d_pipeline.programs import runner
from ds3d_pipeline.programs.runner import run_program
from ds3d_pipeline.programs import runner
runner.KERNEL_ENDS_CHILDREN = sys.argv[1] == "True"
script, folder = sys.argv[2], Path(sys.argv[3])
print("go", flush=True)
run_program([sys.executable, script], folder, log_path=folder / "log")
"""


TIES = [
    pytest.param(
        "True",
        marks=pytest.mark.skipif(
            sys.platform != "linux", reason="does not apply: only Linux ends children with their parent"
        ),
    ),
    "False",
]
"""Whether the kernel ends children; a pipe does where it does not."""


@pytest.mark.parametrize("kernel", TIES)
@pytest.mark.fault("kill -9")
def test_a_program_that_has_not_even_loaded_us_dies_with_its_starter(tmp_path, kernel):
    script = tmp_path / "sleeps.py"
    script.write_text("import os, time; print(os.getpid(), flush=True); time.sleep(300)")
    starter = subprocess.Popen([sys.executable, "-c", STARTER, kernel, str(script), str(tmp_path)])
    while not (tmp_path / "log").exists() or not (tmp_path / "log").read_text().endswith("\n"):
        time.sleep(0.05)
    program = psutil.Process(int((tmp_path / "log").read_text()))
    starter.kill()
    starter.wait()
    _, alive = psutil.wait_procs([program], timeout=5)
    assert not alive


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("kernel", TIES)
@pytest.mark.fault("kill -9")
def test_a_starter_killed_at_any_moment_leaves_nobody(tmp_path, kernel, delay_s):
    script = tmp_path / "sleeps.py"
    script.write_text("import time; time.sleep(300)")
    command = [sys.executable, "-c", STARTER, kernel, str(script), str(tmp_path)]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"go\n"
    time.sleep(delay_s)
    starter.kill()
    starter.wait()
    starter.stdout.close()
    deadline = time.monotonic() + 5
    while (left := _with_argument(str(script))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def _with_argument(text: str) -> list[int]:
    found = [
        (p.pid, p.info["cmdline"] or [], p.info["status"]) for p in psutil.process_iter(["cmdline", "status"])
    ]
    return [pid for pid, words, status in found if text in words and status != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("body", "text"),
    [("raise SystemExit(7)", "exit code 7"), ("import os; os.kill(os.getpid(), 11)", "SIGSEGV")],
)
def test_a_program_beside_a_pipe_ends_as_it_would_without(tmp_path, monkeypatch, body, text):
    monkeypatch.setattr(runner, "KERNEL_ENDS_CHILDREN", False)
    with pytest.raises(ProgramFailed, match=text):
        run(tmp_path, body)
    assert run(tmp_path, "pass").result == {"answer": 42}


def test_a_full_disk_is_the_cause_of_whatever_a_program_says(tmp_path):
    with small_disk(tmp_path / "disk", 300) as disk:
        script = tmp_path / "fills.py"
        script.write_text(f"open({str(disk / 'x')!r}, 'wb').write(bytes(10**6))")
        with pytest.raises(ProgramFailed) as caught:
            run_program([sys.executable, str(script)], disk / "out", log_path=disk / "one.log")
    assert caught.value.outcome == "input"
    assert f"The disk is full: there is no space left in {disk}" in caught.value.reason


def test_an_error_of_the_machine_stops_the_ladder_with_its_words(tmp_path):
    with pytest.raises(ProgramFailed) as caught:
        run(tmp_path, "import errno; raise OSError(errno.EROFS, 'Read-only', '/x')")
    assert caught.value.outcome == "input"
    assert caught.value.reason.startswith("/x is on a read-only file system.")
    assert "Traceback" in caught.value.log_tail
