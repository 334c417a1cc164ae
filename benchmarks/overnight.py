"""A night's worth of captures through the watched folder.

    python benchmarks/overnight.py [--captures 100] [--photos 6] [--side 256] [--hours 12] [--home FOLDER]

Puts that many tiny synthetic captures into the folder of a fresh home, starts `dagster dev` on it and waits
until every one has a finished run. Prints throughput, the memory of Dagster's processes and the size of
its databases as the night goes on. Exit code 1 where a capture did not finish or those grew too much.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg
import psutil

from ds3d_pipeline.defs.launch import UPLOAD_TAG
from ds3d_pipeline.storage.home import Home, prepare_home
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SceneOptions, SyntheticOptions

ROOT = Path(__file__).parents[1]
EVERY_S = 15
MAX_DATABASE_MB_PER_CAPTURE = 5.0
MAX_DAEMON_GROWTH_MB = 200.0
"""Of the daemon over the last three quarters of the night."""
ROLES = {"daemon": "dagster._daemon", "code server": "dagster api grpc", "web server": "dagster_webserver"}


def drop_captures(folder: Path, count: int, photos: int, side: int) -> None:
    """Every capture is another scene, so that no two have one content."""
    camera = CameraOptions(size_wh=(side, side * 3 // 4), focal_px=0.875 * side, noise_sigma=1.0)
    for seed in range(count):
        scene = SceneOptions(seed=seed)
        options = SyntheticOptions(frames=photos, scene=scene, path=PathOptions(arc_deg=30.0), camera=camera)
        with tempfile.TemporaryDirectory() as made:
            photographed = Path(made) / make_capture(Path(made), options).input
            shutil.move(photographed, folder / f"capture-{seed:03d}")


def start_dagster(home: Home) -> subprocess.Popen[bytes]:
    """`dagster dev` in a session of its own; its output goes to `dagster.log` of the home."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
    with (home.root / "dagster.log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)


def stop_dagster(started: subprocess.Popen[bytes]) -> None:
    """Asks `dagster dev`, which ends its own, and kills what is left after a minute."""
    started.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        started.wait(60)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def count_runs() -> collections.Counter[str]:
    """Captures by the status of their last run."""
    last: dict[str, str] = {}
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_runs():
            if upload := run.tags.get(UPLOAD_TAG):
                last.setdefault(upload, run.status.value)
    return collections.Counter(last.values())


def memory_mb(process: psutil.Process) -> dict[str, float]:
    """Resident memory by role of the processes below `dagster dev`; runs are no part of it."""
    found = dict.fromkeys(ROLES, 0.0)
    for child in process.children(recursive=True):
        try:
            words, resident = " ".join(child.cmdline()), child.memory_info().rss / 1e6
        except psutil.Error:
            continue
        for role, word in ROLES.items():
            if word in words:
                found[role] = max(found[role], resident)
    return found


def database_mb(home: Home) -> float:
    """All of Dagster's databases in the home, whose journals come and go."""
    total = 0
    for path in home.root.rglob("*.db*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total / 1e6


def follow(
    home: Home, process: psutil.Process, wanted: int, hours: float
) -> list[tuple[float, int, float, float]]:
    """(seconds, finished runs, daemon MB, database MB) about every half minute, printed as it goes."""
    start, rows = time.monotonic(), []
    print(
        f"{'minutes':>8}{'done':>6}{'failed':>8}{'queued':>8}{'daemon MB':>11}{'server MB':>11}{'DB MB':>8}"
    )
    while time.monotonic() - start < 3600 * hours:
        runs, memory, database = count_runs(), memory_mb(process), database_mb(home)
        seconds, done = time.monotonic() - start, runs["SUCCESS"]
        rows.append((seconds, done, memory["daemon"], database))
        print(
            f"{seconds / 60:8.1f}{done:6}{runs['FAILURE']:8}{runs['QUEUED']:8}{memory['daemon']:11.0f}"
            f"{memory['code server']:11.0f}{database:8.1f}",
            flush=True,
        )
        if done + runs["FAILURE"] + runs["CANCELED"] >= wanted:
            break
        time.sleep(30)
    return rows


def judge(rows: list[tuple[float, int, float, float]], wanted: int, finished: int) -> bool:
    """Prints the totals and whether all is well."""
    seconds, done, daemon, database = rows[-1]
    growth = daemon - rows[len(rows) // 4][2]
    print(f"{done} of {wanted} runs succeeded, {finished} captures have files")
    made = done - rows[0][1]
    print(f"{3600 * made / seconds:.1f} captures an hour, {seconds / max(made, 1):.1f} s each")
    print(f"daemon grew by {growth:.0f} MB, databases hold {database / wanted:.2f} MB a capture")
    is_small = growth <= MAX_DAEMON_GROWTH_MB and database <= MAX_DATABASE_MB_PER_CAPTURE * wanted
    return done == finished == wanted and is_small


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--captures", type=int, default=100)
    parser.add_argument("--photos", type=int, default=6)
    parser.add_argument("--side", type=int, default=256, help="longer side of a photo in pixels")
    parser.add_argument("--hours", type=float, default=12.0, help="ends unfinished after this long")
    parser.add_argument("--home", type=Path, help="folder that is kept; a night begun in it goes on")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = args.home or stack.enter_context(tempfile.TemporaryDirectory(prefix="ds3d-overnight-"))
        os.environ |= {"DAGSTER_HOME": str(folder), "DS3D_UPLOADS_EVERY_S": str(EVERY_S)}
        return 0 if whole_night(args) else 1


def whole_night(args: argparse.Namespace) -> bool:
    """Whether every capture came out and nothing grew too much."""
    home = prepare_home()
    uploads = home.root / "uploads" / "fastest"
    if not uploads.exists():
        uploads.mkdir(parents=True)
        drop_captures(uploads, args.captures, args.photos, args.side)
    with dg.DagsterInstance.get():
        pass  # Two processes that both make a new home's databases may collide.
    started = start_dagster(home)
    try:
        rows = follow(home, psutil.Process(started.pid), args.captures, args.hours)
    finally:
        stop_dagster(started)
    finished = len(list((home.root / "outputs").glob("*/metrics.json")))
    return judge(rows, args.captures, finished)


if __name__ == "__main__":
    sys.exit(main())
