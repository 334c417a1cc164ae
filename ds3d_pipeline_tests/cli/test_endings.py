"""A run that is told to end, at any stage, and a run whose output nobody reads."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from ds3d_pipeline.cli.boundary import CANCELLED, FAILED, OK
from ds3d_pipeline.names import STAGES
from ds3d_pipeline_tests.captures import DS3D, environment, run_ds3d, start_ds3d
from ds3d_pipeline_tests.disks import fill, small_disk

pytestmark = pytest.mark.slow


def words(photos: Path, output: Path) -> tuple[object, ...]:
    return ("reconstruct", photos, "--name", "small", "--mode", "fastest", "--output", output)


def wait_until(is_true, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while not is_true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def has_begun(home: Path, stage: str) -> bool:
    """Whether a program of the stage runs; of the last one, which has none, whether all others are done."""
    if stage == "metrics":
        return (home / "storage" / "splat" / "small" / "CURRENT").exists()
    return any('"started"' in file.read_text() for file in home.glob(f"work/*/{stage}/attempts.json"))


def state_of(home: Path) -> str:
    (line,) = run_ds3d(home, "list", "--json").stdout.splitlines()
    return json.loads(line)["status"]


@pytest.mark.fault("SIGTERM")
def test_sigterm_or_a_closed_terminal_ends_every_stage_tidily(tmp_path, small_photos):
    home, output = tmp_path / "home", tmp_path / "out"
    for number, stage in enumerate(STAGES):
        process = start_ds3d(home, *words(small_photos, output))
        wait_until(lambda stage=stage: has_begun(home, stage), process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal((signal.SIGTERM, signal.SIGHUP)[number % 2])
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == CANCELLED, (stage, stderr)
        assert stderr == "ds3d: cancelled. Run the same command again to continue.\n", stage
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive, stage
        assert not list(home.glob("work/*")), stage
        # Publishing ends in one step, which may be done before the signal is seen.
        assert state_of(home) in ({"cancelled", "ok"} if stage == "metrics" else {"cancelled"}), stage
    assert run_ds3d(home, *words(small_photos, output)).returncode == OK


@pytest.mark.parametrize("reader", ["true", "head -c 1 > /dev/null"])
@pytest.mark.fault("reader that goes away", "markup in the output")
def test_a_run_whose_output_nobody_reads_is_published(tmp_path, small_photos, reader):
    output = tmp_path / "out [red][x]"
    command = " ".join(f'"{word}"' for word in (*DS3D, *map(str, words(small_photos, output)), "--json"))
    done = subprocess.run(
        ["bash", "-c", f"{command} | {reader}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        env=environment(tmp_path / "home"),
        check=False,
    )
    assert (done.returncode, done.stderr) == (OK, "")
    assert (output / "small" / "metrics.json").is_file()
    assert os.path.getsize(output / "small" / "report.html") > 1000


@pytest.mark.fault("full standard output")
@pytest.mark.parametrize("as_json", [True, False])
def test_a_run_whose_standard_output_is_full_is_published(tmp_path, small_photos, as_json):
    output = tmp_path / "out"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*DS3D, *map(str, words(small_photos, output)), *(["--json"] if as_json else [])],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path / "home"),
            check=False,
        )
    assert done.returncode == FAILED
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert (output / "small" / "metrics.json").is_file()


@pytest.mark.fault("disk that fills during a run")
def test_a_disk_that_fills_during_a_run_is_named_and_the_run_goes_on_later(tmp_path, small_photos):
    with small_disk(tmp_path / "disk", 700_000) as disk:
        home, output = disk / "home", disk / "out"
        process = start_ds3d(home, *words(small_photos, output))
        wait_until(lambda: has_begun(home, "keyframes"), process)
        filler = fill(disk)
        stdout, stderr = process.communicate(timeout=200)
        assert process.returncode == FAILED
        assert "Traceback" not in stdout + stderr
        assert "disk is full" in stdout + stderr
        listed = run_ds3d(home, "list")
        assert listed.returncode == OK
        assert listed.stdout.splitlines()[1].startswith("small ")
        filler.unlink()
        assert run_ds3d(home, *words(small_photos, output)).returncode == OK
