"""A run goes on as long as its process does, whatever clocks and host names say."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ds3d_pipeline.execution import heartbeat
from ds3d_pipeline.execution.heartbeat import (
    Process,
    System,
    beating,
    is_going,
    kill_group,
    process_start,
    this_system,
)
from ds3d_pipeline.programs.records import read_json, write_json

HERE = System(host="here", boot="b1", numbers="pid:[1]")
BESIDE = System(host="0a1b2c", boot="b1", numbers="pid:[2]")
ELSEWHERE = System(host="there", boot="b2", numbers="pid:[1]")
RESTARTED = System(host="here", boot="b0", numbers="pid:[1]")


def leave_beat(folder, system: System, *, pid: int = 1, age_s: float = 0.0) -> None:
    """The heartbeat of a process of another system, so long ago by the clock of this boot."""
    folder.mkdir(exist_ok=True)
    write_json(folder / "heartbeat.json", Process(system=system, pid=pid, started="7"))
    beat_ns = time.monotonic_ns() - int(age_s * 1e9)
    os.utime(folder / "heartbeat.json", ns=(beat_ns, beat_ns))


def test_nothing_is_known_of_a_run_that_never_had_a_heart(tmp_path):
    assert is_going(tmp_path / "run") is None


def test_a_run_goes_on_while_its_process_does(tmp_path):
    with beating(tmp_path / "run"):
        assert is_going(tmp_path / "run") is True


def test_another_host_name_or_a_stepped_clock_changes_nothing(tmp_path, monkeypatch):
    with beating(tmp_path / "run"):
        renamed = dataclasses.replace(this_system(), host="renamed")
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert is_going(tmp_path / "run", renamed) is True


def test_a_process_that_ended_or_whose_number_was_given_again_is_gone(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        write_json(
            tmp_path / "heartbeat.json",
            Process(system=this_system(), pid=child.pid, started=process_start(child.pid)),
        )
        assert is_going(tmp_path) is True
        child.kill()
    assert is_going(tmp_path) is False
    other = Process(system=this_system(), pid=os.getpid(), started="not this one")
    write_json(tmp_path / "heartbeat.json", other)
    assert is_going(tmp_path) is False


@pytest.mark.skipif(sys.platform != "linux", reason="does not apply: a zombie is told in /proc")
def test_a_zombie_has_ended():
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 30
    while process_start(child.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.wait()


@pytest.mark.parametrize(("age_s", "goes_on"), [(20.0, True), (70.0, False)])
def test_a_container_beside_is_judged_by_the_clock_that_both_share(tmp_path, age_s, goes_on):
    leave_beat(tmp_path, BESIDE, age_s=age_s)
    assert is_going(tmp_path, HERE) is goes_on


def test_a_machine_that_was_started_anew_ended_its_runs(tmp_path):
    leave_beat(tmp_path, RESTARTED)
    assert is_going(tmp_path, HERE) is False


def test_another_machine_is_given_a_minute_by_our_own_clock(tmp_path, monkeypatch):
    leave_beat(tmp_path, ELSEWHERE, age_s=9000.0)
    now_s = time.monotonic()
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now_s)
    assert is_going(tmp_path, HERE) is True
    now_s += heartbeat.GONE_AFTER_S - 1
    assert is_going(tmp_path, HERE) is True
    leave_beat(tmp_path, ELSEWHERE, age_s=8000.0)
    assert is_going(tmp_path, HERE) is True
    now_s += heartbeat.GONE_AFTER_S - 1
    assert is_going(tmp_path, HERE) is True
    now_s += 2
    assert is_going(tmp_path, HERE) is False


def test_a_heart_beats_without_writing_anything(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    path = tmp_path / "run" / "heartbeat.json"
    with beating(tmp_path / "run"):
        content, seen = read_json(path, Process), {path.stat().st_mtime_ns}
        deadline = time.monotonic() + 30
        while len(seen) < 3:
            assert time.monotonic() < deadline
            seen.add(path.stat().st_mtime_ns)
        assert read_json(path, Process) == content


def test_a_heart_beats_on_where_its_folder_was_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    with beating(tmp_path / "run"):
        (tmp_path / "run" / "heartbeat.json").unlink()
        time.sleep(0.05)
    assert is_going(tmp_path / "run") is None


def sleeper(seconds: int = 60) -> subprocess.Popen[bytes]:
    """A process with a child, in a group of their own."""
    child = f"import time; time.sleep({seconds})"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{child}'])"
    return subprocess.Popen([sys.executable, "-c", code], start_new_session=True)


def test_a_run_is_killed_with_all_its_programs(tmp_path):
    process = sleeper()
    started = process_start(process.pid) or ""
    write_json(tmp_path / "heartbeat.json", Process(system=this_system(), pid=process.pid, started=started))
    while not (children := psutil.Process(process.pid).children()):
        time.sleep(0.01)
    kill_group(tmp_path)
    assert process.wait(10) == -9
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.parametrize("changes", [{"started": "7"}, {"system": ELSEWHERE}])
def test_a_later_process_of_the_same_number_is_left_alone(tmp_path, changes):
    process = sleeper()
    started = process_start(process.pid) or ""
    record = Process(system=this_system(), pid=process.pid, started=started)
    write_json(tmp_path / "heartbeat.json", dataclasses.replace(record, **changes))
    kill_group(tmp_path)
    kill_group(tmp_path / "nothing")
    time.sleep(0.2)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
