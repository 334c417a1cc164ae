"""Whole runs that are interrupted, killed and taken up again."""

import contextlib
import json
import signal
import time

import psutil
import pytest

from ds3d_pipeline.names import STAGES
from ds3d_pipeline_tests.captures import run_ds3d, start_ds3d

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

WITHIN_S = 400
"""Far more than any stage takes here; only a run that hangs takes longer."""
CANCELLED = 130
HEAVY = STAGES[:-1]


def wait_for_stage(home, stage: str, process) -> None:
    """Returns as soon as a program of this stage runs."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        for file in home.glob(f"work/*/{stage}/attempts.json"):
            if '"started"' in file.read_text():
                return
        assert process.poll() is None, process.communicate()[1][-2000:]
        time.sleep(0.02)
    raise AssertionError(f"{stage} never started")


def is_alive(process: psutil.Process) -> bool:
    """A zombie has ended; only its number waits for whoever adopted it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def states(stdout: str) -> dict[str, str]:
    events = [json.loads(line) for line in stdout.splitlines()]
    return {event["stage"]: event["state"] for event in events if event["event"] == "stage"}


def words(photos, output):
    return ("reconstruct", photos, "--mode", "fastest", "--json", "--output", output)


def test_ctrl_c_in_any_stage_and_then_the_same_command(tmp_path, small_photos):
    home, output = tmp_path / "home", tmp_path / "out"
    for stage in HEAVY:
        process = start_ds3d(home, *words(small_photos, output))
        wait_for_stage(home, stage, process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == CANCELLED, (stage, stderr[-2000:])
        assert "cancelled" in stderr
        assert not [child for child in children if is_alive(child)]
        assert not list(home.glob("work/*"))
        assert not output.exists()
    done = run_ds3d(home, *words(small_photos, output))
    assert done.returncode == 0, done.stderr[-2000:]
    told = states(done.stdout)
    assert {told[stage] for stage in HEAVY[:-1]} == {"reused"}
    assert told["splat"] == "done"


def wait_for_bundle(home, stage: str, process) -> None:
    """Returns as soon as this stage's bundle counts: between it and the next stage."""
    deadline = time.monotonic() + WITHIN_S
    while not published_at(home, stage):
        assert time.monotonic() < deadline, f"{stage} was never published"
        assert process.poll() is None, process.communicate()[1][-2000:]
        time.sleep(0.01)


def published_at(home, stage: str) -> list[int]:
    """When the bundle of this stage was made the current one, in nanoseconds; nothing before that."""
    return [path.stat().st_mtime_ns for path in home.glob(f"storage/{stage}/*/CURRENT")]


def kill_family(process) -> None:
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.communicate(timeout=30)


@pytest.mark.parametrize("wait", [wait_for_stage, wait_for_bundle])
@pytest.mark.fault("kill -9")
def test_kill_9_in_or_after_every_stage_and_then_the_same_command(tmp_path, small_photos, wait):
    """One run, killed as often as it has stages: what was finished before a kill is not made again."""
    home, output = tmp_path / "home", tmp_path / "out"
    made: dict[str, list[int]] = {}
    for stage in HEAVY:
        process = start_ds3d(home, *words(small_photos, output))
        wait(home, stage, process)
        kill_family(process)
        made |= {name: at for name in HEAVY if name not in made and (at := published_at(home, name))}
    assert set(HEAVY[:-1]) <= set(made)
    done = run_ds3d(home, *words(small_photos, output))
    assert done.returncode == 0, done.stderr[-2000:]
    assert {name: published_at(home, name) for name in made} == made
    assert not list(home.glob("work/*"))


def test_from_a_stage_on_everything_is_made_again(tmp_path, small_photos):
    home, output = tmp_path / "home", tmp_path / "out"
    assert run_ds3d(home, *words(small_photos, output)).returncode == 0
    done = run_ds3d(home, *words(small_photos, output), "--from", "pointcloud")
    assert done.returncode == 0, done.stderr[-2000:]
    told = states(done.stdout)
    assert {told[stage] for stage in ("capture", "keyframes", "poses", "depth_maps")} == {"reused"}
    assert {told[stage] for stage in ("pointcloud", "mesh", "splat")} == {"done"}


def test_a_failed_run_keeps_the_files_of_an_earlier_one(tmp_path, small_photos, monkeypatch):
    home, output = tmp_path / "home", tmp_path / "out"
    assert run_ds3d(home, *words(small_photos, output), "--name", "kept").returncode == 0
    mesh = (output / "kept" / "model.glb").read_bytes()
    monkeypatch.setenv("DS3D_MEMORY_MB", "1")
    failed = run_ds3d(home, *words(small_photos, output), "--name", "kept", "--from", "mesh")
    assert failed.returncode == 1
    assert (output / "kept" / "model.glb").read_bytes() == mesh
    told = json.loads((output / "kept" / "failed" / "metrics.json").read_text())
    assert told["status"] == "failed"
    assert told["reasons"][0].startswith("Mesh: ")


def test_a_capture_that_only_failed_is_listed_as_failed(tmp_path, small_photos, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("DS3D_MEMORY_MB", "1")
    failed = run_ds3d(home, *words(small_photos, tmp_path / "out"), "--name", "never")
    assert failed.returncode == 1
    (line,) = run_ds3d(home, "list", "--json").stdout.splitlines()
    assert json.loads(line)["status"] == "failed"
