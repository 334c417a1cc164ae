"""What a run costs beside its stages' programs, and where that time goes.

    python benchmarks/overhead.py [--photos FOLDER] [--mode fastest] [--every 3] [--only serve]

A small capture is reconstructed three times, each time in a new home: by `ds3d reconstruct`, by an upload to
`ds3d serve`, and by `dagster dev`, which finds it in the watched folder and looks there every `--every`
seconds. Of each run two tables: the way to the first stage's program, and between every two programs

    after    checking, storing and judging what the first has made, until its step ends
    between  until the next step starts
    before   reading its inputs, probing its backends and measuring memory, until its program runs

All seconds are those that Dagster's events have; the machine should do nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import httpx

from ds3d_pipeline.names import STAGES
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions

DS3D = (sys.executable, "-c", "from ds3d_pipeline.cli.main import main; raise SystemExit(main())")
ROOT = Path(__file__).parents[1]
STARTED_S = 300.0
"""For a `dagster dev` to come up."""
ENDED_S = 1800.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """When a step started and ended, and its program in it; seconds since 1970."""

    name: str
    start: float
    program_start: float
    program_end: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """When a run reached what; seconds since 1970."""

    asked: float
    accepted: float
    queued: float
    starting: float
    started: float
    ended: float
    stages: tuple[Stage, ...]


def make_photos(folder: Path) -> Path:
    options = SyntheticOptions(
        frames=8,
        path=PathOptions(arc_deg=35.0),
        camera=CameraOptions(size_wh=(320, 240), focal_px=280.0, noise_sigma=1.0),
    )
    return folder / make_capture(folder, options).input


def by_command_line(photos: Path, mode: str, folder: Path) -> Run:
    """Of `ds3d reconstruct`."""
    home, asked = folder / "home", time.time()
    words = ["reconstruct", str(photos), "--mode", mode, "--name", "tiny", "--output", str(folder / "out")]
    with (folder / "log").open("wb") as log:
        subprocess.run([*DS3D, *words], env=environment(home), check=True, stdout=log, stderr=log)
    return read_run(home, asked)


def by_serve(photos: Path, mode: str, folder: Path) -> Run:
    """Of an upload to the page's server."""
    home, port = folder / "home", free_port()
    command = [*DS3D, "serve", "--no-open", "--port", str(port)]
    with running(command, environment(home), folder / "log"):
        wait_for(lambda: has_looked(home, "web_orders"), STARTED_S, folder / "log")
        asked = time.time()
        files = [("files", (path.name, path.read_bytes())) for path in sorted(photos.iterdir())]
        url = f"http://127.0.0.1:{port}/api/upload"
        httpx.post(url, data={"mode": mode}, files=files, timeout=300).raise_for_status()
        wait_for(lambda: has_ended(home), ENDED_S, folder / "log")
    return read_run(home, asked)


def by_dagster_dev(photos: Path, mode: str, folder: Path, every_s: int) -> Run:
    """Of the watched folder, which is looked at while the photos come."""
    home = folder / "home"
    subprocess.run([*DS3D, "home"], env=environment(home), check=True, stdout=subprocess.DEVNULL)
    command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(free_port())]
    with running(command, environment(home, DS3D_UPLOADS_EVERY_S=str(every_s)), folder / "log"):
        wait_for(lambda: has_looked(home, "capture_uploads"), STARTED_S, folder / "log")
        asked = time.time()
        shutil.copytree(photos, home / "uploads" / mode / "tiny")
        wait_for(lambda: has_ended(home), ENDED_S, folder / "log")
    return read_run(home, asked)


def environment(home: Path, **more: str) -> dict[str, str]:
    return os.environ | {"DAGSTER_HOME": str(home)} | more


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: Sequence[str], env: dict[str, str], log_path: Path) -> Iterator[None]:
    """A command in a session of its own, which is ended after use."""
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(condition, seconds: float, log_path: Path) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Too slow. The end of its log:\n{log_path.read_text()[-3000:]}")
        time.sleep(1.0)


def has_looked(home: Path, sensor: str) -> bool:
    if not (home / "locks" / "instance_made").exists():
        return False
    with instance_of(home) as instance:
        return any(state.name == sensor for state in instance.all_instigator_state())


def has_ended(home: Path) -> bool:
    """Whether there is a run, and it has ended."""
    with instance_of(home) as instance:
        return any(run.is_finished for run in instance.get_runs())


def instance_of(home: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(home))


def read_run(home: Path, asked: float) -> Run:
    """The only run of a home."""
    with instance_of(home) as instance:
        (record,) = instance.get_run_records()
        if record.dagster_run.status != dg.DagsterRunStatus.SUCCESS:
            raise SystemExit(f"The run ended as {record.dagster_run.status.value}.")
        events = instance.all_logs(record.dagster_run.run_id)
    key = record.dagster_run.tags["dagster/partition"]
    created = record.create_timestamp.timestamp()
    launched = [e.timestamp for e in events if e.dagster_event_type == dg.DagsterEventType.PIPELINE_STARTING]
    return Run(
        asked=asked,
        accepted=(home / "registered" / key / "request.json").stat().st_mtime,
        queued=created,
        starting=launched[0] if launched else created,
        started=record.start_time or 0.0,
        ended=record.end_time or 0.0,
        stages=tuple(read_stage(name, [e for e in events if e.step_key == name]) for name in STAGES),
    )


def read_stage(name: str, events: list[dg.EventLogEntry]) -> Stage:
    """The program's time is that of its last attempt; `metrics` has none."""
    kinds = {entry.dagster_event_type: entry for entry in events if entry.dagster_event_type}
    start = kinds[dg.DagsterEventType.STEP_START].timestamp
    end = kinds[dg.DagsterEventType.STEP_SUCCESS].timestamp
    running = [e.timestamp for e in events if re.match(rf"{name}: running ", e.user_message or "")]
    if not running:
        return Stage(name=name, start=start, program_start=start, program_end=end, end=end)
    made = kinds[dg.DagsterEventType.ASSET_MATERIALIZATION].asset_materialization
    seconds = made.metadata["seconds"].value if made else 0.0
    return Stage(
        name=name,
        start=start,
        program_start=running[-1],
        program_end=running[-1] + float(str(seconds)),
        end=end,
    )


def show(title: str, run: Run) -> None:
    first = run.stages[0]
    way = {
        "asked for to accepted": run.accepted - run.asked,
        "accepted to queued": run.queued - run.accepted,
        "queued to its process asked for": run.starting - run.queued,
        "its process to the run's start": run.started - run.starting,
        "the run's start to its first step": first.start - run.started,
        "the first step to its program": first.program_start - first.start,
    }
    print(f"\n{title}")
    for what, seconds in way.items():
        print(f"  {what:<36}{seconds:8.2f} s")
    print(f"  {'accepted to the first program':<36}{first.program_start - run.accepted:8.2f} s\n")
    print(f"  {'to':<12}{'after':>8}{'between':>9}{'before':>8}{'sum':>8}{'program':>10}")
    gaps = []
    for before, stage in zip(run.stages, run.stages[1:], strict=False):
        parts = (before.end - before.program_end, stage.start - before.end, stage.program_start - stage.start)
        gaps.append(sum(parts))
        program = stage.program_end - stage.program_start
        after, between, before_it = parts
        print(f"  {stage.name:<12}{after:8.2f}{between:9.2f}{before_it:8.2f}{gaps[-1]:8.2f}{program:10.2f}")
    programs = sum(stage.program_end - stage.program_start for stage in run.stages)
    print(f"  between stages: median {statistics.median(gaps):.2f} s, largest {max(gaps):.2f} s")
    print(f"  asked for to the run's end {run.ended - run.asked:.1f} s, programs {programs:.1f} s of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photos instead of small synthetic ones")
    parser.add_argument("--mode", default="fastest")
    parser.add_argument("--every", type=int, default=3, metavar="SECONDS", help="between two looks")
    parser.add_argument("--only", choices=["reconstruct", "serve", "dev"])
    args = parser.parse_args()
    doors = {
        "reconstruct": by_command_line,
        "serve": by_serve,
        "dev": functools.partial(by_dagster_dev, every_s=args.every),
    }
    with tempfile.TemporaryDirectory(prefix="ds3d-benchmark-") as name:
        photos = args.photos or make_photos(Path(name))
        for door in [args.only] if args.only else doors:
            folder = Path(name) / door
            folder.mkdir()
            show(door, doors[door](photos, args.mode, folder))


if __name__ == "__main__":
    main()
